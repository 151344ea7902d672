"""Tell about one meter in words: its level, since when, how much, why, and what else it could be."""

import argparse
import difflib

import numpy as np

from ml.commands.common import add_reading_options, load_model, print_json, print_notes, read
from ml.synthetic.words import FAMILY_WORDS, WORDS
from ml.tables import InputError
from ml.tables.words import meter_name
from ml.window import MeterWindow

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60


def add_options(options: argparse.ArgumentParser) -> None:
    add_reading_options(options)
    options.add_argument("--model", required=True, metavar="DIR", help="folder of a model that train wrote")
    options.add_argument("--meter", required=True, metavar="NAME", help="the meter to tell about")


def run(options: argparse.Namespace) -> None:
    from ml.detector import as_dict, findings  # noqa: PLC0415 the detectors take seconds to load, which --help need not wait

    ensemble = load_model(options.model)
    readings = read(options)
    print_notes(readings.notes)
    name = meter_name(options.meter)
    if name not in readings.order:
        near = difflib.get_close_matches(name, readings.order, 3)
        hint = f"Did you mean {', '.join(near)}?" if near else f"They hold {', '.join(readings.order[:3])}, ..."
        raise InputError(f"no meter {options.meter!r} in the readings. {hint}")
    # Its neighbours are part of the evidence, so all are looked at.
    result = next(as_dict(finding) for finding in findings(ensemble, readings) if finding.meter == name)
    window = next(window for window in readings.windows if name in window.meters)
    row = int(np.flatnonzero(window.meters == name)[0])
    if options.json:
        print_json(result)
    else:
        print("\n".join([*words(result), *pictures(window, row, result["onset_day"])]))


def words(result: dict) -> list[str]:
    if result["score"] is None:
        return [f"Meter {result['meter']}: {result['risk_level']}", *(f"- {said}" for said in result["reasons"])]
    lines = [f"Meter {result['meter']}: {result['risk_level']}, score {result['score']:.2f}"]
    if result["probability"] is not None:
        lines.append(f"Chance that a visit finds a loss: {100 * result['probability']:.0f} %")
    if result["onset_day"]:
        change = ""
        if result["before_kwh"] is not None and result["after_kwh"] is not None:
            change = f": {result['before_kwh']:.1f} kWh a day before, {result['after_kwh']:.1f} since"
        lines.append(f"Since {result['onset_day']}{change}")
    if result["missing_kwh"] > 0:
        lines.append(f"Missing since then: about {result['missing_kwh']:.0f} kWh")
    if result["families"]:
        fits = ", or ".join(f"{_phrase(one['family'])} ({100 * one['share']:.0f} %)" for one in result["families"])
        lines.append(f"Looks like: {fits}")
    if result["benign_alternative"]:
        lines.append(f"Also fits: {_phrase(result['benign_alternative'])} ({100 * result['benign_share']:.0f} %)")
    parts = sorted(result["parts"].items(), key=lambda part: -part[1])
    if parts:
        lines.append("Score made up of: " + ", ".join(f"{_plain(part)} {share:.2f}" for part, share in parts))
    return lines + [f"- {said}" for said in result["reasons"]]


def pictures(window: MeterWindow, row: int, onset_day: str | None) -> list[str]:
    """The days of the whole history, and the usual day before and since the onset, as rows of bars."""
    kwh = window.kwh[row]
    there = ~np.isnan(kwh)
    daily = np.where(there.mean(1) >= 0.5, np.nansum(kwh, 1) / np.maximum(there.mean(1), 1e-9), np.nan)
    if np.isnan(daily).all():
        return []
    lines = [
        "",
        f"kWh a day, {window.first_day} to {window.first_day + window.days - 1}, up to {np.nanmax(daily):.1f}:",
    ]
    lines.append("  " + sparkline(_shorter(daily, WIDTH)))
    if onset_day and window.slots > 1:
        onset = int((np.datetime64(onset_day) - window.first_day).astype(int))
        before, since = (_usual_day(part) for part in (kwh[:onset], kwh[onset:]))
        top = np.nanmax([*before, *since, 0])
        lines += [
            "usual day, midnight to midnight:",
            f"  {sparkline(before, top)}  before",
            f"  {sparkline(since, top)}  since",
        ]
    return lines


def sparkline(values: np.ndarray, top: float | None = None) -> str:
    """A bar for each value from 0 to `top`; a blank for NaN."""
    top = np.nanmax(values) if top is None else top
    heights = np.nan_to_num(values / top if top > 0 else values * 0, nan=-1)
    return "".join(" " if height < 0 else BARS[min(int(height * len(BARS)), len(BARS) - 1)] for height in heights)


def _usual_day(kwh: np.ndarray) -> np.ndarray:
    """(24,) mean kWh of each hour, NaN where there is no reading."""
    hours = kwh.reshape(len(kwh), 24, -1)
    there = ~np.isnan(hours)
    return np.where(there.any((0, 2)), np.nansum(hours, (0, 2)) / np.maximum(there.sum((0, 2)), 1), np.nan)


def _shorter(values: np.ndarray, width: int) -> np.ndarray:
    parts = np.array_split(values, min(width, len(values)))
    return np.array([part[~np.isnan(part)].mean() if (~np.isnan(part)).any() else np.nan for part in parts])


def _phrase(name: str) -> str:
    """What a person calls a family of attacks or an honest change."""
    return FAMILY_WORDS.get(name) or WORDS.get(name) or _plain(name)


def _plain(name: str) -> str:
    return name.replace("_", " ")
