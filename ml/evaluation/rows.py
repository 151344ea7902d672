"""The tables of the evaluation, one function each: `row(study, seed) -> dict` of JSON types.

A row is computed for each split by itself and averaged over the splits afterwards (`ml.evaluation.average`).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from ml.calendar import from_civil_days, slots_ahead, to_civil_days
from ml.evaluation import held_out, probes
from ml.evaluation.detectors import DETECTORS, family_guesses, train_known, train_permuted, without
from ml.evaluation.runs import FAULTS, Study
from ml.evaluation.study import Batch, Scored, Scorer, Setting, score
from ml.evidence import blocks
from ml.stage import see
from ml.window import MeterWindow

PLAIN, PLAIN_OURS = "plain_rule", "fallen_level"
KNOWN, KNOWN_FUSED, SHIPPED, SHIPPED_FUSED = "known", "known_fused", "shipped", "shipped_fused"
NO_MODEL = (
    *(PLAIN, "random", "raw_forest", "classic", "autoencoder", "gru", "change_point", "isolation_forest"),
    "unsupervised",
)
MAIN = (PLAIN, KNOWN, KNOWN_FUSED, SHIPPED, SHIPPED_FUSED)
TRAINED = (KNOWN, KNOWN_FUSED)
"""Those that are trained again for each family and kind that is left out."""
PERMUTATIONS = 5


def scorers(study: Study, seed: int, names: Iterable[str]) -> dict[str, Scorer]:
    """Detectors trained for a split; those that need torch are left out where it is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = study.remembered(seed, f"detector {name}", lambda n=name: DETECTORS[n].fit(study, seed))
        except ModuleNotFoundError as error:
            study.progress(f"split {seed}: no {name}, {error}")
    return found


def headlines(study: Study, seed: int, names: Iterable[str]) -> dict:
    """Detector to its grade. On the test part, thresholds come from the validation part."""
    fitted = scorers(study, seed, names)
    thresholds = dict.fromkeys(fitted)
    if study.part == "test":
        chosen_on = score(fitted, study.source.batches(seed, "validation"))
        thresholds = {name: study.source.threshold(chosen_on.values[name], chosen_on) for name in fitted}
    scored = study.scored(seed, fitted)
    return {
        name: study.source.grade(
            scored.values[name], scored, threshold=thresholds[name], resamples=study.resamples, seed=seed
        )
        for name in fitted
    }


def unsupervised(study: Study, seed: int) -> dict:
    """Detectors that were never shown a theft."""
    return headlines(study, seed, NO_MODEL)


def known(study: Study, seed: int) -> dict:
    """Boosters that were trained on the same attacks and look-alikes, of other households."""
    return headlines(study, seed, (PLAIN, "known_booster", KNOWN, "balance", KNOWN_FUSED))


def shipped(study: Study, seed: int) -> dict:
    """What a utility gets: trained on our own simulator alone, over the training households' curves."""
    return headlines(study, seed, (PLAIN, SHIPPED, SHIPPED_FUSED))


def families(study: Study, seed: int) -> dict:
    """Trainer to family to what an attack of a family that nobody simulated is worth."""
    by_family: dict[str, list[str]] = {}
    for attack, family in study.source.families.items():
        by_family.setdefault(family, []).append(attack)
    chosen = dict(sorted(by_family.items())[: 2 if study.quick else None])
    training = study.training(seed)
    fitted = {}
    for family, unseen in chosen.items():
        study.progress(f"split {seed}: without {family}")
        trained = train_known(study, seed, without(training, unseen), whole=False)
        fitted |= {f"{name}/{family}": scorer for name, scorer in trained.items()}
    scored = study.scored(seed, fitted | scorers(study, seed, [PLAIN]))
    report: dict[str, dict] = {name: {} for name in (PLAIN, *TRAINED)}
    for family, unseen in chosen.items():
        for name in report:
            values = scored.values[PLAIN if name == PLAIN else f"{name}/{family}"]
            grade = study.source.grade(values, scored, attacks=unseen, resamples=0)["headline"]
            report[name][family] = {figure: grade[figure]["value"] for figure in ("auc", "detected_fpr5")}
    for name, rows in report.items():
        figures = next(iter(rows.values()))
        report[name] = {**rows, "mean": {figure: _mean([row[figure] for row in rows.values()]) for figure in figures}}
    return report


def kinds(study: Study, seed: int) -> dict:
    """Trainer to look-alike to its false alarms at a nominal 5 %, when training never saw that look-alike."""
    chosen = study.source.look_alikes[: 2 if study.quick else None]
    training = study.training(seed)
    fitted = {}
    for kind in chosen:
        study.progress(f"split {seed}: without {kind}")
        trained = train_known(study, seed, without(training, [kind]), whole=False)
        fitted |= {f"{name}/{kind}": scorer for name, scorer in trained.items()}
    scored = study.scored(seed, fitted | scorers(study, seed, [PLAIN]))
    report: dict[str, dict] = {}
    for name in (PLAIN, *TRAINED):
        rates = {
            kind: study.source.false_alarms(scored.values[PLAIN if name == PLAIN else f"{name}/{kind}"], scored, kind)
            for kind in chosen
        }
        rates = {kind: float(rate) for kind, rate in rates.items() if np.isfinite(rate)}
        report[name] = {**rates, "median": float(np.median(list(rates.values()))), "worst": max(rates.values())}
    return report


def faults(study: Study, seed: int) -> dict:
    """Fault of the balance to detector to its figures; meter-only detectors stand beside the fused ones."""
    fitted = scorers(study, seed, [KNOWN, "balance", KNOWN_FUSED, SHIPPED, SHIPPED_FUSED])
    report = {}
    for fault, setting in FAULTS.items():
        study.progress(f"split {seed}: {fault}")
        scored = study.scored(seed, fitted, setting)
        grades = {name: study.source.grade(scored.values[name], scored, resamples=0)["headline"] for name in fitted}
        report[fault] = {
            name: {
                figure: grade[figure]["value"] for figure in ("auc", "recall_top10", "detected_fpr1", "detected_fpr5")
            }
            for name, grade in grades.items()
        }
    return report


def delay(study: Study, seed: int) -> dict:
    """Detector to days until theft is found, when 5 % of honest meters may ever alarm."""
    fitted = scorers(study, seed, MAIN)
    chosen_on = _nightly(study, seed, "validation", fitted)
    graded = chosen_on if study.part == "validation" else _nightly(study, seed, study.part, fitted)
    return {
        name: study.source.grade_delay((chosen_on[0][name], chosen_on[1]), (graded[0][name], graded[1]))
        for name in fitted
    }


def _nightly(study: Study, seed: int, part: str, fitted: dict[str, Scorer]) -> tuple[dict[str, np.ndarray], Scored]:
    """(N, nights) scores of each detector."""
    by_block: dict[str, list[np.ndarray]] = {name: [] for name in fitted}
    blank = []
    for number, nights in enumerate(study.source.nights(seed, part)):
        study.progress(f"split {seed}: nights of {part}, block {number}")
        block: dict[str, list[np.ndarray]] = {name: [] for name in fitted}
        for batch in nights:
            for name, scorer in fitted.items():
                block[name].append(scorer(batch))
        for name in fitted:
            by_block[name].append(np.stack(block[name], 1))
        blank.append(Batch(None, batch.truth, None, batch.frozen))
    return {name: np.concatenate(blocks) for name, blocks in by_block.items()}, score({}, blank)


def onset(study: Study, seed: int) -> dict:
    """Error of the first day of theft, and of the guess at its family, over the thefts that are detected."""
    fitted = scorers(study, seed, [KNOWN, SHIPPED])
    outputs: dict[str, Scorer] = dict(fitted)
    for name in fitted:
        outputs[f"{name} day"] = _output(fitted[name], "onset")
        outputs[f"{name} family"] = _output(fitted[name], "families")
    outputs["change_point day"] = lambda batch: batch.features.change.day
    scored = study.scored(seed, outputs)
    report = {}
    for name in fitted:
        detected = scored.values[name] > study.source.threshold(scored.values[name], scored)
        report[name] = study.source.grade_onset(scored.values[f"{name} day"], scored, detected)
        report[name] |= family_guesses(scored.values[f"{name} family"], scored.truth, detected)
    detected = scored.values[KNOWN] > study.source.threshold(scored.values[KNOWN], scored)
    report["change_point"] = study.source.grade_onset(scored.values["change_point day"], scored, detected)
    return report


def _output(scorer: Scorer, name: str) -> Scorer:
    return getattr(scorer, name)


def decisions(study: Study, seed: int) -> dict:
    """What the shipped model's numbers mean to a crew: curves, budget, confusion, calibration."""
    fitted = scorers(study, seed, [SHIPPED, SHIPPED_FUSED, PLAIN])
    outputs = fitted | {f"{name} chance": fitted[name].probability for name in (SHIPPED, SHIPPED_FUSED)}
    scored = study.scored(seed, outputs)
    return {
        name: held_out.held_out(
            scored.values[name],
            scored.truth,
            data=f"{study.source.title}, part {study.part}",
            probability=scored.values[f"{name} chance"],
            plain=scored.values[PLAIN],
            importance=fitted[name].importance(),
            draws=study.resamples,
            seed=seed,
        )
        for name in (SHIPPED, SHIPPED_FUSED)
    }


def transfer(study: Study, seed: int) -> dict:
    """The models of the United Kingdom, untouched, on Australian households."""
    if not hasattr(study.source, "abroad"):
        return {}
    scored = score(scorers(study, seed, MAIN), study.source.abroad(seed))
    return {
        name: study.source.grade(scored.values[name], scored, resamples=study.resamples, seed=seed) for name in MAIN
    }


CLOCKS = {"spring": np.datetime64("2009-03-29"), "autumn": np.datetime64("2009-10-25")}
"""Days on which the clocks of London changed: the window is moved by whole weeks until one lies in its middle."""


def clock(study: Study, seed: int) -> dict:
    """The same lives stamped in standard time across a clock change, and in a place without one: scores must agree."""
    fitted = scorers(study, seed, [PLAIN_OURS, KNOWN, SHIPPED])
    given = study.source.window(seed, "validation")
    report = {}
    for name, change in CLOCKS.items():
        honoured, none, ignored = (_scores(fitted, window) for window in _lived(given, change))
        report[name] = {
            detector: {
                "largest_difference": float(np.abs(honoured[detector] - none[detector]).max()),
                "if_the_clock_is_ignored": float(np.abs(ignored[detector] - none[detector]).max()),
            }
            for detector in fitted
        }
    return report


def _lived(window: MeterWindow, change: np.datetime64) -> tuple[MeterWindow, MeterWindow, MeterWindow]:
    """Habits on the wall clock: stamped in standard time, stamped on the wall clock, and standard taken for civil."""
    weeks = ((change - window.days // 2) - window.first_day).astype(int) // 7
    first_day = window.first_day + 7 * weeks
    ahead = slots_ahead(first_day, window.days, window.interval_minutes, "Europe/London", 0)
    stamped = replace(
        window,
        first_day=first_day,
        kwh=from_civil_days(window.kwh, ahead),
        timezone="Europe/London",
        utc_offset_minutes=0,
        sums=None,
        sum_row=None,
    )
    on_the_wall = replace(stamped, kwh=to_civil_days(stamped.kwh, ahead), timezone="UTC")
    return stamped, on_the_wall, replace(stamped, timezone="UTC")


def _scores(fitted: dict[str, Scorer], window: MeterWindow) -> dict[str, np.ndarray]:
    parts: dict[str, list[np.ndarray]] = {name: [] for name in fitted}
    for _rows, evidence in blocks(window):
        batch = Batch(evidence, None)
        for name, scorer in fitted.items():
            parts[name].append(scorer(batch))
    return {name: np.concatenate(values) for name, values in parts.items()}


def leakage(study: Study, seed: int) -> dict:
    """Models that must know nothing: AUC .50 each. And meters that lie on both sides of the split: none."""
    setting = Setting(groups=slice(None, 4) if study.quick else slice(None))
    seen, truth = probes.gathered(study.source.batches(seed, "train", setting))
    asked, asked_truth = probes.gathered(study.graded(seed, setting))
    report: dict = {
        name: probes.probe_auc(probes.learn(seen[name], truth, seed).predict_proba(asked[name])[:, 1], asked_truth)
        for name in probes.PROBES
    }
    training = study.training(seed)
    fitted = {
        f"permuted {number}": train_permuted(study, training, probes.shuffled(training.truth, number))
        for number in range(1 if study.quick else PERMUTATIONS)
    }
    main = scorers(study, seed, [KNOWN, KNOWN_FUSED, SHIPPED, SHIPPED_FUSED])
    scored = study.scored(seed, fitted | main)
    permuted = [probes.probe_auc(values, scored.truth) for name, values in scored.values.items() if "permuted" in name]
    report["label_permutation"] = _mean(permuted)
    # Detectors that read the grain lose when every reading is a whole watt-hour, before and after.
    coarse = score(main, (_whole_watt_hours(batch) for batch in study.graded(seed)))
    report["whole_watt_hours"] = {
        name: _auc(study, coarse.values[name], coarse) - _auc(study, scored.values[name], scored) for name in main
    }
    report["identity"] = {
        name: study.source.grade(values, scored, resamples=0)["identity_auc"]
        for name, values in scored.values.items()
        if "permuted" not in name
    }
    windows = study.source.window(seed, "train"), study.source.window(seed, study.part)
    report["shared_meters"] = len(set(windows[0].meters.tolist()) & set(windows[1].meters.tolist()))
    report |= probes.shared_meters(windows[0].kwh, windows[1].kwh)
    return report


def _whole_watt_hours(batch: Batch) -> Batch:
    return replace(batch, evidence=replace(batch.evidence, kwh=np.round(batch.evidence.kwh, 3)), kept={})


def _auc(study: Study, values: np.ndarray, scored: Scored) -> float:
    return study.source.grade(values, scored, resamples=0)["headline"]["auc"]["value"]


def cost(study: Study, seed: int) -> dict:
    """Seconds for 1,000 meters of the source's days on this machine, from evidence to score, by part."""
    fitted = scorers(study, seed, [name for name in DETECTORS if name != "random"])
    batch = next(iter(study.graded(seed)))
    started = time.perf_counter()
    see(batch.evidence)
    report = {"cases": len(batch), "features": (time.perf_counter() - started) * 1000 / len(batch)}
    for name, scorer in fitted.items():
        started = time.perf_counter()
        scorer(batch)
        report[name] = (time.perf_counter() - started) * 1000 / len(batch)
    return report


def _mean(values) -> float:
    return float(np.mean(values))


ROWS: dict[str, Callable[[Study, int], dict]] = {
    row.__name__: row
    for row in (
        unsupervised,
        known,
        shipped,
        families,
        kinds,
        faults,
        delay,
        onset,
        decisions,
        transfer,
        clock,
        leakage,
        cost,
    )
}

MODELS: dict[str, tuple[str, ...]] = {
    "unsupervised": NO_MODEL,
    "known": ("known_booster", KNOWN, "balance", KNOWN_FUSED),
    "shipped": (SHIPPED, SHIPPED_FUSED),
    "families": TRAINED,
    "kinds": TRAINED,
    "faults": (KNOWN, "balance", KNOWN_FUSED, SHIPPED, SHIPPED_FUSED),
    "delay": MAIN,
    "onset": (KNOWN, SHIPPED),
    "decisions": (SHIPPED, SHIPPED_FUSED),
    "leakage": (KNOWN, KNOWN_FUSED, SHIPPED, SHIPPED_FUSED),
}
"""Row to the models that it opens the test part for."""
