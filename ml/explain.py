"""Turns scores into findings: kind, reasons with their share, onset, days, and the energy that is missing."""

from datetime import date

import numpy as np

from ml.config import Config
from ml.evidence import SHORT_DAYS, mean_over
from ml.features import NEEDED_DAYS, RECENT_DAYS, Measures
from ml.findings import KINDS, UNSCORED, Finding, Reason, Span
from ml.rules import DEVIATIONS, ZEROS, Evidence
from ml.stage import THEFT, Judgement
from ml.synthetic.words import FAMILY_WORDS
from ml.window import MeterWindow

LOSING_KINDS = {"zero_consumption", "gradual_decline", "neighbourhood_deviation"}
KIND_OF_FAMILY = {"zero": "zero_consumption", "drift": "gradual_decline"}
"""Every other family makes a meter unlike its neighbours."""
WORTH_SAYING = 0.15
"""Strength of a rule from which its reason is named."""
OWN_SENTENCE = {"booster", "balance", "isolation_forest", "outcomes"}
WORTH_NAMING = 0.02
"""Contribution to the score from which a part gets a sentence."""
MOST_SPANS = 5
ZERO_QUEUE_DAYS = 3
"""Days without any consumption from which the contract, not the curve, decides."""


def explain(
    window: MeterWindow,
    measures: Measures,
    evidence: Evidence,
    judgement: Judgement,
    classes: list[str],
    config: Config,
) -> list[Finding]:
    """A finding for each meter of the window. `classes` names the columns of `judgement.kinds`."""
    return [
        (_scored if measures.scorable[row] else _unscored)(
            _Row(window, measures, evidence, judgement, classes, row), config
        )
        for row in range(len(window))
    ]


class _Row:
    """One row of the window, with what the sentences ask of it."""

    def __init__(self, window, measures: Measures, evidence: Evidence, judgement: Judgement, classes, row: int):
        self.name = str(window.meters[row])
        self.window, self.measures, self.evidence, self.row = window, measures, evidence, row
        self.judgement, self.classes = judgement, classes
        self.first, self.last = int(measures.first[row]), int(measures.last[row])
        self.last_usable = int(np.flatnonzero(measures.usable[row])[-1]) if measures.usable[row].any() else -1
        self.onset = min(int(judgement.change.day[row]), max(self.last, 0))

    def day(self, index: int) -> date:
        return (self.window.first_day + index).item()

    @property
    def parts(self) -> dict[str, float]:
        return {part: float(at[self.row]) for part, at in self.judgement.parts.items()}

    def likest(self, theft: bool) -> list[tuple[str, float]]:
        """Attack families, or honest changes, by their share, the likest first."""
        shares = zip(self.classes, self.judgement.kinds[self.row].tolist(), strict=True)
        found = [
            (name.removeprefix(THEFT), round(share, 3)) for name, share in shares if name.startswith(THEFT) == theft
        ]
        return sorted(found, key=lambda one: -one[1])

    def feature(self, name: str) -> float:
        return float(self.measures.feature(name)[self.row])

    def after(self, first: int) -> np.ndarray:
        """(D,) bool: usable days from the given one on."""
        usable = self.measures.usable[self.row].copy()
        usable[: max(first, 0)] = False
        return usable

    def strength(self, kind: str) -> float:
        return float(self.evidence.strength[kind][self.row])

    def mean(self, values: np.ndarray, chosen: np.ndarray) -> float:
        """Of this meter's row of (M, D) values, over the chosen days: (M, D) or (D,) bool; 0 without any."""
        chosen = chosen if chosen.ndim == 1 else chosen[self.row]
        return float(mean_over(values[self.row][None], chosen[None])[0])


def _unscored(meter: _Row, config: Config) -> Finding:
    """Nothing can be said; unless the meter reports well and the end of its contract explains what it reports."""
    days = int(meter.measures.data_days[meter.row])
    span = (meter.day(meter.first), meter.day(meter.last)) if days else (None, None)
    if days >= NEEDED_DAYS and meter.measures.vacated[meter.row]:
        nothing = dict.fromkeys(config.weights, 0.0)
        return Finding(meter.name, 0.0, config.level_of(0), None, nothing, [_no_contract(meter)], None, [], 0.0, *span)
    reason = Reason("too_little_data", 0.0, {"days": days, "needed": NEEDED_DAYS})
    return Finding(meter.name, None, UNSCORED, None, {}, [reason], None, [], 0.0, *span)


def _scored(meter: _Row, config: Config) -> Finding:
    score = float(meter.judgement.score[meter.row])
    weighed = {kind: config.rules["weights"][kind] * meter.strength(kind) for kind in KINDS}
    suspected = score >= config.thresholds["low"]
    families = meter.likest(theft=True)[:2] if suspected else []
    kind = _kind(meter, weighed, families) if suspected else None
    onset = _onset(meter, kind) if kind else None
    before, after = _before_and_after(meter, onset)
    return Finding(
        meter=meter.name,
        score=score,
        level=config.level_of(score),
        kind=kind,
        parts=meter.parts,
        reasons=_reasons(meter, weighed, families, config),
        onset_day=meter.day(onset) if onset is not None else None,
        spans=_spans(meter, kind, onset) if kind else [],
        kwh_missing_per_month=_missing(meter, onset) if kind in LOSING_KINDS else 0.0,
        data_from=meter.day(meter.first),
        data_until=meter.day(meter.last),
        probability=float(meter.judgement.probability[meter.row]),
        families=families,
        benign=next(iter(meter.likest(theft=False)), None) if suspected else None,
        missing_kwh=_missing_since(meter, onset) if kind in LOSING_KINDS else 0.0,
        before_kwh=before,
        after_kwh=after,
        reference_days=int(meter.measures.reference[meter.row].sum()),
        notes=_notes(meter),
    )


def _kind(meter: _Row, weighed: dict[str, float], families: list[tuple[str, float]]) -> str | None:
    """Of the five: what the rules see; where they see nothing, what the likest family comes to."""
    kind = max(weighed, key=weighed.get)
    if meter.strength(kind) >= WORTH_SAYING:
        return kind
    return KIND_OF_FAMILY.get(families[0][0], "neighbourhood_deviation") if families else None


def _before_and_after(meter: _Row, onset: int | None) -> tuple[float | None, float | None]:
    """kWh a day; None where there is no onset, or no day on one side of it."""
    if onset is None:
        return None, None
    since = meter.after(onset)
    before = meter.measures.usable[meter.row] & ~since
    if not since.any() or not before.any():
        return None, None
    return tuple(round(meter.mean(meter.measures.level, days), 2) for days in (before, since))


def _notes(meter: _Row) -> list[str]:
    notes, row = [], meter.row
    if meter.last - meter.first + 1 < SHORT_DAYS:
        notes.append("short_reference")
    if meter.measures.peer_count[row] == 0:
        notes.append("no_neighbours")
    if not meter.judgement.balanced[row]:
        measured = meter.window.sum_row is not None and meter.window.sum_row[row] >= 0
        notes.append("balance_refused" if measured else "no_balance")
    if meter.evidence.empty_run[row] >= ZERO_QUEUE_DAYS:
        notes.append("zero_queue")
    return notes


def _onset(meter: _Row, kind: str) -> int:
    run = int(meter.evidence.empty_run[meter.row])
    if kind == "zero_consumption" and run:
        return int(np.flatnonzero(meter.evidence.empty[meter.row])[-run])
    return meter.onset


def _reasons(meter: _Row, weighed: dict[str, float], families: list[tuple[str, float]], config: Config) -> list[Reason]:
    """The booster, the balance and the forest have sentences of their own; what the others add is shared among the
    kinds that fired.

    Kinds of missing energy tell the same story in other words, so only the strongest of them speaks.
    """
    fired = {kind: weight for kind, weight in weighed.items() if meter.strength(kind) >= WORTH_SAYING}
    loudest = max((kind for kind in fired if kind in LOSING_KINDS), key=fired.get, default=None)
    fired = {kind: weight for kind, weight in fired.items() if kind not in LOSING_KINDS or kind == loudest}
    parts, said = meter.parts, []
    shared = sum(share for part, share in parts.items() if part not in OWN_SENTENCE)
    pattern = parts.get("booster", 0.0) + parts.get("outcomes", 0.0)
    if fired:
        # A reader takes in what was measured before what it resembles.
        total = sum(fired.values())
        shared += 0.5 * pattern if families else pattern
        pattern = 0.5 * pattern if families else 0.0
        said += [(*SENTENCE_OF[kind](meter), shared * weight / total) for kind, weight in fired.items() if total]
    elif families:
        pattern += shared
    if families and pattern > WORTH_NAMING:
        said.append(("fits_family", {"family": FAMILY_WORDS.get(families[0][0], families[0][0])}, pattern))
    if parts.get("balance", 0) > WORTH_NAMING and meter.judgement.balanced[meter.row]:
        said.append(("balance_follows", {}, parts["balance"]))
    if parts["isolation_forest"] > WORTH_NAMING:
        rank = min(99, int(100 * meter.judgement.ranks["isolation_forest"][meter.row]))
        said.append(("unusual_combination", {"percent": rank}, parts["isolation_forest"]))
    explained = sum(weight for _, _, weight in said)
    said.sort(key=lambda entry: -entry[2])
    reasons = [Reason(code, round(weight / explained, 3), params) for code, params, weight in said if explained]
    return reasons + _remarks(meter)


def _fall(log_ratio: float) -> int:
    """A fall of the level in whole percent."""
    return round(100 * (1 - float(np.exp(min(log_ratio, 0)))))


def _drop(meter: _Row) -> tuple[str, dict]:
    since = meter.day(meter.onset).isoformat()
    deviation = DEVIATIONS[meter.evidence.deviation[meter.row]]
    if deviation == "peaks":
        now, before = (
            meter.mean(meter.measures.peak, days) for days in (meter.measures.recent, meter.measures.reference)
        )
        return "peaks_capped", {"kwh": round(now, 2), "before_kwh": round(before, 2)}
    if deviation == "part_of_day":
        return "part_of_day_hidden", {"percent": _fall(meter.feature("part_min"))}
    after = meter.after(meter.onset)
    kwh, usual = meter.mean(meter.measures.level, after), meter.mean(meter.measures.usual, after)
    percent = round(100 * (1 - kwh / usual)) if usual > 0 else 0
    if meter.measures.peer_count[meter.row] == 0:
        return "drop_no_neighbours", {"percent": percent, "since": since}
    neighbours = round(100 * (float(np.exp(meter.mean(meter.measures.peers, after))) - 1))
    if abs(neighbours) < 5 or percent <= 0:
        return "drop_neighbours_steady", {"percent": max(percent, 0), "since": since}
    return "drop_beyond_neighbours", {"percent": percent, "since": since, "neighbour_percent": neighbours}


def _decline(meter: _Row) -> tuple[str, dict]:
    percent = _fall(min(meter.feature("level_7"), meter.feature("level_14")))
    return "gradual_decline", {"percent": percent, "since": meter.day(meter.onset).isoformat()}


def _zeros(meter: _Row) -> tuple[str, dict]:
    empty, run = meter.evidence.empty[meter.row], int(meter.evidence.empty_run[meter.row])
    recent = meter.measures.recent[meter.row]
    if run and run == int(meter.measures.usable[meter.row].sum()):
        return "always_zero", {"days": run}
    zeros = ZEROS[meter.evidence.zeros[meter.row]]
    if zeros == "run":
        since = meter.day(_onset(meter, "zero_consumption")).isoformat()
        return "zero_run", {"days": run, "since": since}
    if zeros == "days":
        return "zero_days", {"days": int((empty & recent).sum()), "of": int(recent.sum())}
    zero = meter.measures.zero
    now, before = meter.mean(zero, meter.measures.recent), meter.mean(zero, meter.measures.reference)
    return "zero_hours", {"percent": round(100 * now), "before_percent": round(100 * before)}


def _night(meter: _Row) -> tuple[str, dict]:
    night = meter.measures.night
    now, before = meter.mean(night, meter.measures.recent), meter.mean(night, meter.measures.reference)
    factor = round(now / max(before, 0.001), 1)
    return "odd_hours", {"factor": min(factor, 99.0), "since": meter.day(meter.onset).isoformat()}


def _peaks(meter: _Row) -> tuple[str, dict]:
    spiked, recent = meter.evidence.spiked[meter.row], meter.measures.recent[meter.row]
    highest = round(float(np.nanmax(np.where(recent, meter.measures.peak[meter.row], np.nan))), 2)
    return "spike", {"days": int(spiked.sum()), "of": int(recent.sum()), "kwh": highest}


SENTENCE_OF = {
    "sudden_spike": _peaks,
    "zero_consumption": _zeros,
    "odd_hours": _night,
    "gradual_decline": _decline,
    "neighbourhood_deviation": _drop,
}


def _remarks(meter: _Row) -> list[Reason]:
    """What a reader should know though it adds nothing to the score."""
    remarks, row = [], meter.row
    neighbours = float(meter.measures.neighbours_kwh[row])
    own = meter.mean(meter.measures.level, meter.measures.recent)
    if neighbours > 0 and own > 2 * neighbours:
        remarks.append(Reason("above_neighbours", 0.0, {"factor": round(own / neighbours, 1)}))
    elif neighbours > 0 and own < 0.5 * neighbours:
        remarks.append(Reason("below_neighbours", 0.0, {"percent": round(100 * own / neighbours)}))
    if meter.evidence.looks_empty[row] > 0.5:
        remarks.append(Reason("empty_home", 0.0))
    if not meter.window.contract_active[row, meter.last]:
        remarks.append(_use_without_contract(meter))
    return remarks


def _use_without_contract(meter: _Row) -> Reason:
    without = ~meter.window.contract_active[meter.row] & (np.arange(meter.window.days) > meter.last_usable)
    kwh = round(meter.mean(meter.measures.level, without), 1)
    return Reason("use_without_contract", 0.0, {"kwh": kwh, "since": meter.day(meter.last_usable + 1).isoformat()})


def _no_contract(meter: _Row) -> Reason:
    """Since the day after the last one with a contract, or since the first day that the window knows."""
    active = np.flatnonzero(meter.window.contract_active[meter.row, : meter.last + 1])
    since = int(active[-1]) + 1 if len(active) else meter.first
    return Reason("no_contract", 0.0, {"since": meter.day(since).isoformat()})


def _spans(meter: _Row, kind: str, onset: int) -> list[Span]:
    """The days to mark in the curve: the runs of zeros or spikes, else everything since the onset."""
    code = SENTENCE_OF[kind](meter)[0]
    marked = {"sudden_spike": meter.evidence.spiked, "zero_consumption": meter.evidence.empty}.get(kind)
    days = np.flatnonzero(marked[meter.row]) if marked is not None else np.array([], int)
    if not len(days):
        return [Span(meter.day(onset), meter.day(meter.last), code)]
    runs = np.split(days, np.flatnonzero(np.diff(days) > 2) + 1)
    longest = sorted(runs, key=len)[-MOST_SPANS:]
    return [
        Span(meter.day(int(run[0])), meter.day(int(run[-1])), code) for run in sorted(longest, key=lambda run: run[0])
    ]


def _missing(meter: _Row, onset: int) -> float:
    """kWh in 30 days that the past, moved along with the neighbours, lets expect beyond what is registered now."""
    days = meter.after(max(onset, meter.last - RECENT_DAYS + 1))
    expected = meter.mean(meter.measures.expected, days)
    return round(max(0.0, 30 * (expected - meter.mean(meter.measures.level, days))), 1)


def _missing_since(meter: _Row, onset: int) -> float:
    """kWh from the onset to the last day, as `_missing` counts them."""
    days = meter.after(onset)
    expected = meter.mean(meter.measures.expected, days)
    span = meter.last - onset + 1
    return round(max(0.0, span * (expected - meter.mean(meter.measures.level, days))), 1)
