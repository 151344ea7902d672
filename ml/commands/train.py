"""Learn a model from readings and write it into a folder.

No labels are needed; outcomes of inspections make it better. Of meters in several intervals, the largest group is
learned from; the model scores all of them.
"""

import argparse
import time
from pathlib import Path

import yaml

from ml.commands.common import add_reading_options, bar, described, print_json, print_notes, read
from ml.config import Config, default_config
from ml.tables import InputError, read_outcomes


def add_options(options: argparse.ArgumentParser) -> None:
    add_reading_options(options)
    options.add_argument("--outcomes", metavar="FILE", help="CSV with the columns meter, outcome and, if known, day")
    options.add_argument("--config", metavar="FILE", help="YAML with settings that differ from those of ml/config.yaml")
    options.add_argument("--quick", action="store_true", help="a first look in seconds; not for sending crews")
    options.add_argument("--model", required=True, metavar="DIR", help="folder to write the model into")


def configured(path: str | None, quick: bool) -> Config:
    """The settings, with those of the file in their place. Raises InputError for a file that sets what there is not."""
    settings = default_config().as_dict()
    if path is not None:
        try:
            given = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: is no YAML ({error}).") from error
        settings = _with(settings, given or {}, f"{path}: ")
    try:
        config = Config(**settings)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: {error}") from error
    return config.quick() if quick else config


def _with(settings: dict, given: object, where: str) -> dict:
    if not isinstance(given, dict):
        raise InputError(f"{where}needs keys and values, not {given!r}.")
    if unknown := sorted(str(key) for key in given if key not in settings):
        raise InputError(f"{where}there is no setting {', '.join(unknown)}. ml/config.yaml lists them.")
    changed = {
        key: _with(settings[key], value, f"{where}{key}.") if isinstance(settings[key], dict) else value
        for key, value in given.items()
    }
    return settings | changed


def run(options: argparse.Namespace) -> None:
    from ml import artifacts  # noqa: PLC0415 the detectors take seconds to load, which --help need not wait
    from ml.detector import fit  # noqa: PLC0415 the same

    started = time.monotonic()
    config = configured(options.config, options.quick)
    readings = read(options)
    outcomes = read_outcomes(options.outcomes, readings.order, readings.notes) if options.outcomes else None
    print_notes(readings.notes)
    with bar("learning", options.quiet) as progress:
        ensemble = fit(readings, outcomes, config, progress)
    artifacts.save(ensemble, options.model)
    window = readings.windows[0]
    seconds = time.monotonic() - started
    if options.json:
        print_json(
            {
                "model": options.model,
                "meters": len(window),
                "interval_minutes": window.interval_minutes,
                "first_day": str(window.first_day),
                "days": window.days,
                "outcomes": len(outcomes or {}),
                "windows": described(readings),
                "seconds": round(seconds, 1),
                "held_out": ensemble.held_out_,
                "notes": readings.notes.as_dict(),
            }
        )
    else:
        print(f"{options.model}: learned from {len(window):,} meters over {window.days} days in {seconds:.0f} s")
        if ensemble.held_out_:
            headline = ensemble.held_out_["headline"]
            auc, found = headline["auc"]["value"], headline["recall_top10"]["value"]
            print(f"Simulated theft on meters held back: AUC {auc:.3f}, {found:.0%} of it among the top 10 %")
