"""What meter events add to the scores of curves, on made-up cities whose thieves are known.

`python -m bench.gain_of_events`; not part of `make bench`, as it trains a model for each city. It flatters: events and
thefts of these cities have one author; docs/events.md says how to read it.
"""

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from ml import events as evidence_of
from ml.config import default_config
from ml.ensemble import Ensemble
from ml.findings import Finding
from ml.synthetic.city import City, generate_city

TOP = 0.05
DAY = evidence_of.DAY


@dataclass(frozen=True)
class Judged:
    steals: np.ndarray  # (M,) bool
    curve: np.ndarray  # (M,) score without events
    flags: np.ndarray  # (M,) evidence of events without any curve
    both: np.ndarray  # (M,) score with events
    high: float


def judged(city: City, findings: list[Finding], thresholds: dict[str, float]) -> Judged:
    curve = np.array([finding.score or 0.0 for finding in findings])
    events, around = events_of(city)
    now = np.full(len(curve), minutes(city.first_day + city.days))
    weighed = evidence_of.weigh(events, now, around, visits_of(city))
    counts = np.flatnonzero(weighed.fresh > 0)
    onset = np.array(
        [minutes(np.datetime64(one.onset_day)) // DAY if one.onset_day else evidence_of.NO_DAY for one in findings]
    )
    tied = np.zeros(len(events), dtype=bool)
    tied[counts] = evidence_of.at_change(
        city.window().kwh,
        int(city.first_day.astype("M8[D]").astype(int)),
        np.array([consumer.transformer for consumer in city.consumers]),
        onset,
        events.meter[counts],
        events.minutes[counts] // DAY,
    )
    strength = evidence_of.evidence(len(curve), events, weighed.weight)
    with_change = evidence_of.evidence(len(curve), events, np.where(tied, weighed.fresh, 0))
    both = evidence_of.lifted(curve, strength, with_change, thresholds["high"])
    return Judged(city.truth.steals, curve, strength, both, thresholds["high"])


def events_of(city: City) -> tuple[evidence_of.Events, evidence_of.Around]:
    consumer_of = {meter.serial: meter.consumer for meter in city.meters}
    meter = np.array([consumer_of[event.meter] for event in city.events])
    at = [event.at for event in city.events]
    local = [moment.astimezone(ZoneInfo(city.timezone)) for moment in at]
    events = evidence_of.Events(
        meter=meter,
        kind=np.array([event.code for event in city.events]),
        minutes=np.array([int(moment.timestamp()) // 60 for moment in at]),
        working_hours=np.array([moment.weekday() < 5 and 7 <= moment.hour < 18 for moment in local]),
    )
    transformer = np.array([consumer.transformer for consumer in city.consumers])
    feeder = np.array([one.feeder for one in city.transformers])[transformer]
    groups = np.stack([transformer, feeder, np.full(len(transformer), evidence_of.NOBODY)])  # as for known transformers
    sizes = np.stack([np.bincount(group - evidence_of.NOBODY)[group - evidence_of.NOBODY] for group in groups])
    return events, evidence_of.Around(
        meter, events.kind, events.minutes, groups[:, meter], groups[:, meter], sizes[:, meter]
    )


def visits_of(city: City) -> evidence_of.Visits:
    day = np.array([minutes(np.datetime64(visit.day)) for visit in city.inspections], dtype=np.int64)
    return evidence_of.Visits(
        meter=np.array([visit.consumer for visit in city.inspections], dtype=int),
        first=day - DAY,
        last=day + 2 * DAY,
        looked=np.array([visit.outcome != "no_access" for visit in city.inspections], dtype=bool),
    )


def minutes(day: np.datetime64) -> int:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(day.astype("M8[D]").astype(int)))
    return int(moment.timestamp()) // 60


def auc(score: np.ndarray, steals: np.ndarray) -> float:
    thief, honest = score[steals][:, None], score[~steals][None]
    return float(((thief > honest) + 0.5 * (thief == honest)).mean())


def precision_at_top(score: np.ndarray, steals: np.ndarray) -> float:
    """Among as many visits as TOP of the consumers; equal scores share their places."""
    places = round(TOP * len(score))
    least = np.sort(score)[-places]
    above, at = score > least, score == least
    return float((steals[above].sum() + steals[at].mean() * (places - above.sum())) / places)


def figures(one: Judged) -> dict[str, float]:
    honest = ~one.steals
    found = {}
    for name, score in (("curve", one.curve), ("events alone", one.flags), ("both", one.both)):
        found[f"AUC {name}"] = auc(score, one.steals)
        found[f"precision in the top 5 % {name}"] = precision_at_top(score, one.steals)
    found["thieves at high, curve"] = float((one.curve[one.steals] >= one.high).mean())
    found["thieves at high, both"] = float((one.both[one.steals] >= one.high).mean())
    found["honest at high, curve"] = float((one.curve[honest] >= one.high).mean())
    found["honest at high, both"] = float((one.both[honest] >= one.high).mean())
    found["honest that send an event of weight"] = float((one.flags[honest] > 0).mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="4101,4102,4103")
    parser.add_argument("--consumers", type=int, default=1500)
    parser.add_argument("--days", type=int, default=180)
    options = parser.parse_args()
    config = default_config().quick()
    rows = []
    for seed in map(int, options.seeds.split(",")):
        city = generate_city(seed, consumers=options.consumers, days=options.days)
        ensemble = Ensemble(config).fit(city.window())
        rows.append(figures(judged(city, ensemble.explain(city.window()), config.thresholds)))
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name:40s}" + "".join(f"{value:8.3f}" for value in values) + f"   mean {np.mean(values):.3f}")


if __name__ == "__main__":
    main()
