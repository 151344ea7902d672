"""Trains the stages of an ensemble on a utility's own history: without a label, on theft that is simulated there.

Some transformers are held back. They teach nothing; they say how rare a score is among honest meters, how likely a
find, and how good the model is.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ml import nets
from ml.booster import Booster, KindBooster
from ml.calibration import Chance, Tail
from ml.change_features import change_features, names
from ml.config import Config
from ml.evaluation.held_out import held_out
from ml.evaluation.truth import PREVALENCE, UNTOUCHED, Truth, population
from ml.evidence import Neighbourhood, fill_gaps, without_outages
from ml.novelty import Novelty
from ml.outcomes import Outcome, learn_from_visits
from ml.stage import FUSED, METER, THEFT, Seen, Stage, plain_rule, see
from ml.synthetic.cases import Cases, draw_cases
from ml.unsupervised import Unsupervised
from ml.window import MeterWindow

LEAST_PER_METER, MOST_PER_METER = 12, 90
METER_DAYS_FOR_NETS = 60_000
"""More of them cost minutes. The training households of the frozen protocol have 28,000."""
FEWEST_HELD_OUT = 5
FEWEST_FOR_SIGNS = 12
FEWEST_FOR_HALVES = 10
LENGTH_SHARE = 0.4
"""Of the rounds of cases that are cut to a shorter window, so that a score after five weeks is one too."""
ANOTHER_SEED = 7919
FOLDS = 3
SUSPECTS = 0.08
"""Share of the meters that do not teach because they look like thieves already; more than steal, for not every thief
looks worst."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Trained:
    stages: dict[int, Stage]
    """By reading interval in minutes."""
    networks: dict
    held_out: dict
    """What the analytics page shows: the evaluation on the transformers that were held back."""


def train(
    config: Config, window: MeterWindow, outcomes: dict[str, Outcome], progress: Progress | None = None
) -> Trained:
    """Raises ValueError when no meter of the window has enough data to learn from."""
    tell = progress or (lambda _share, _doing: None)
    learn, judge = split(chosen(window, config), config)
    tell(0.02, "networks")
    networks = nets.fit(config, _sample(learn), lambda doing: tell(0.05, doing))
    intervals = _intervals(window.interval_minutes, config)
    stages, at = {}, 0.25
    taught = _gather(learn, config, config.training["seed"], intervals, lambda doing: tell(at, doing))
    suspects = suspicious(config, taught[window.interval_minutes])
    taught = {interval: drawn.without(suspects) for interval, drawn in taught.items()}
    for interval in intervals:
        at += 0.3 / len(intervals)
        tell(at, f"boosters for {interval}-minute readings")
        stages[interval] = _stage(config, taught[interval], _plain_features(learn, interval))
        stages[interval].signs = _signs(config, learn, interval)
    at = 0.7
    seed = config.training["seed"] + ANOTHER_SEED
    shown = _gather(judge, config, seed, intervals, lambda doing: tell(at, doing), stages, networks)
    for interval in intervals:
        calibrate(stages[interval], shown[interval])
    if outcomes and (learned := learn_from_visits(window, outcomes)):
        stage = stages[window.interval_minutes]
        stage.outcomes, stage.tails["outcomes"], stage.weights["outcomes"] = learned
        calibrate(stage, shown[window.interval_minutes])
    tell(0.9, "evaluation")
    native = shown[window.interval_minutes]
    evaluation = _evaluate(stages[window.interval_minutes], native, len(judge))
    if judge is not learn:
        tell(0.95, "boosters from all meters")
        for interval in intervals:
            learn_from_all(config, stages[interval], taught[interval], shown[interval])
    return Trained(stages, networks, evaluation)


def chosen(window: MeterWindow, config: Config) -> MeterWindow:
    """The meters to learn from: those with enough days, whole transformers, at most `training.meters`, in the order of
    their names, so that the order of a file does not matter."""
    seen = ((window.kwh >= 0).mean(2) >= 0.5) & window.contract_active
    enough = seen.sum(1) >= config.data["least_days"]
    used = (window.kwh > 0).any((1, 2))
    rows = np.argsort(window.meters, kind="stable")
    rows = rows[(enough & used)[rows]]
    if not len(rows):
        raise ValueError("no meter has enough data to learn from")
    order = _groups(window, rows)
    kept, count = [], 0
    for group in order:
        if count and count + len(group) > config.training["meters"]:
            break
        kept.append(group[: config.training["meters"]])
        count += len(kept[-1])
    rows = np.sort(np.concatenate(kept))
    return part_of(window, rows[np.argsort(window.meters[rows], kind="stable")])


def part_of(window: MeterWindow, rows: np.ndarray) -> MeterWindow:
    """The window of some of its meters, by index. Their sum meters measure less by what the others report, as if
    nobody else were behind them: energy of a meter that is left out must not look stolen."""
    part = window.take(rows)
    if window.sums is None:
        return part
    there = np.isin(np.arange(len(window)), rows)
    behind = (window.sum_row >= 0) & np.isin(window.sum_row, part.sum_row)
    others = np.flatnonzero(behind & ~there)
    if not len(others):
        return part
    sums = window.sums.copy()
    np.subtract.at(sums, window.sum_row[others], fill_gaps(window.kwh[others]))
    return replace(part, sums=np.clip(sums, 0, None))


def _groups(window: MeterWindow, rows: np.ndarray) -> list[np.ndarray]:
    """The rows by transformer, in an order that only their names decide; a meter without neighbours by itself."""
    group = window.peer_group[rows]
    alone = group < 0
    key = np.where(alone, -1 - np.arange(len(rows)), group)
    _values, code = np.unique(key, return_inverse=True)
    groups = [rows[code == one] for one in range(code.max() + 1)]
    return sorted(groups, key=lambda group: zlib.crc32(str(window.meters[group[0]]).encode()))


def split(window: MeterWindow, config: Config) -> tuple[MeterWindow, MeterWindow]:
    """Whole transformers to learn from, and those held back. With a single one its meters are dealt out instead; with
    very few meters, those that teach judge as well."""
    rows = np.arange(len(window))
    groups = _groups(window, rows)
    if len(groups) < 5:
        groups = [rows[at : at + 1] for at in np.argsort([zlib.crc32(str(one).encode()) for one in window.meters])]
    wanted, held, count = config.training["held_out"] * len(window), [], 0
    for group in groups:
        if count >= wanted:
            break
        held.append(group)
        count += len(group)
    if count < FEWEST_HELD_OUT or count == len(window):
        return window, window
    is_held = np.isin(rows, np.concatenate(held))
    return part_of(window, rows[~is_held]), part_of(window, rows[is_held])


def _sample(window: MeterWindow):
    """Evidence about as many meters as METER_DAYS_FOR_NETS allow, as they are."""
    return Neighbourhood(window).evidence(slice(0, max(1, METER_DAYS_FOR_NETS // window.days)))


def _signs(config: Config, window: MeterWindow, interval: int) -> Unsupervised | None:
    """None for daily readings, and for too few meters or days: there the plain rule stands in."""
    evidence = Neighbourhood(window).evidence(slice(0, config.training["meters_for_signs"]))
    if interval == nets.DAILY or len(evidence) < FEWEST_FOR_SIGNS or evidence.days < config.data["least_days"]:
        return None
    return Unsupervised(networks=False).fit(evidence.without_sums().at_interval(interval))


def _intervals(native: int, config: Config) -> list[int]:
    """The native interval, and those longer ones that it makes up."""
    longer = config.training["intervals"]
    return sorted({native, *(minutes for minutes in longer if minutes > native and minutes % native == 0)})


def _plain_features(window: MeterWindow, interval: int) -> np.ndarray:
    """(M, K) of the meters as they are: the population among which a combination of changes is rare."""
    neighbourhood = Neighbourhood(replace(window, sums=None, sum_row=None))
    blocks = [slice(at, at + 256) for at in range(0, len(window), 256)]
    parts = (without_outages(neighbourhood.evidence(rows).at_interval(interval)) for rows in blocks)
    return np.concatenate([change_features(part) for part in parts])


@dataclass(frozen=True, eq=False)
class Drawn:
    """Cases of one interval, their readings left behind."""

    seen: Seen
    given: dict[str, np.ndarray]
    """Part to its (N,) scores, of those parts that look at the readings themselves."""
    truth: Truth

    def take(self, rows: np.ndarray) -> "Drawn":
        """Some of the cases, by index or mask."""
        given = {part: values[rows] for part, values in self.given.items()}
        return Drawn(self.seen.take(rows), given, self.truth.take(rows))

    def without(self, households: np.ndarray) -> "Drawn":
        return self.take(~np.isin(self.truth.household, households))


def _gather(
    window: MeterWindow,
    config: Config,
    seed: int,
    intervals: list[int],
    tell: Callable[[str], None],
    stages: dict[int, Stage] | None = None,
    networks: dict | None = None,
) -> dict[int, Drawn]:
    training = config.training
    per_meter = int(np.clip(training["cases"] // max(1, len(window)), LEAST_PER_METER, MOST_PER_METER))
    found: dict[int, list[Drawn]] = {interval: [] for interval in intervals}
    count = 0
    for cases in _draw(window, seed, per_meter, training["lengths"]):
        count += len(cases)
        tell(f"{count:,} simulated cases")
        for interval in intervals:
            evidence = cases.evidence.at_interval(interval)
            seen = see(evidence)
            given = stages[interval].given(networks, evidence, seen) if stages else {}
            found[interval].append(Drawn(seen, given, Truth.of(cases)))
    return {interval: joined(parts) for interval, parts in found.items()}


def _draw(window: MeterWindow, seed: int, per_meter: int, lengths: list[int]) -> Iterator[Cases]:
    shorter = [length for length in lengths if length < window.days]
    whole = round(len(shorter) * (1 - LENGTH_SHARE) / LENGTH_SHARE) or 1
    return draw_cases(window, seed, per_meter, days=[*shorter, *[window.days] * whole])


def joined(parts: list[Drawn]) -> Drawn:
    def column(values):
        return np.concatenate(list(values))

    change = parts[0].seen.change
    change = replace(change, **{name: column(getattr(one.seen.change, name) for one in parts) for name in vars(change)})
    balance = None if parts[0].seen.balance is None else column(one.seen.balance for one in parts)
    return Drawn(
        seen=Seen(change, column(one.seen.features for one in parts), balance),
        given={name: column(one.given[name] for one in parts) for name in parts[0].given},
        truth=Truth.concatenate([one.truth for one in parts]),
    )


def suspicious(config: Config, drawn: Drawn) -> np.ndarray:
    """(H,) households whose untouched curves look most like theft to boosters that never saw them.

    The history that teaches is a utility's own, and some of its meters steal: shown as honest, they teach that theft is
    honest. Without them the boosters find more, though some whose life merely changed go with them.
    """
    truth, settings = drawn.truth, config.models["booster"]
    scores = np.zeros(len(truth.theft))
    for fold in range(FOLDS):
        theirs = truth.household % FOLDS == fold
        taught = truth.counted & ~theirs
        if not theirs.any() or not truth.theft[taught].any() or truth.theft[taught].all():
            return np.zeros(0, int)
        booster = Booster(**hasty(settings)).fit(drawn.seen.features[taught], truth.theft[taught])
        scores[theirs] = booster.score(drawn.seen.features[theirs])
    return _most_like_theft(truth, scores, SUSPECTS)


def hasty(settings: dict) -> dict:
    """A booster's settings for half the rounds at twice the rate: as good, where many are trained."""
    return settings | {"rounds": settings["rounds"] // 2, "learning_rate": settings["learning_rate"] * 2}


def _stage(config: Config, drawn: Drawn, plain: np.ndarray) -> Stage:
    models = config.models
    booster, fused = _boosters(config, drawn)
    return Stage(
        weights=dict(config.weights),
        booster=booster,
        novelty=Novelty(n_estimators=models["isolation_forest"]["n_estimators"]).fit(plain),
        kinds=kinds_apart(models["kinds"], drawn),
        fused=fused,
    )


def _boosters(config: Config, drawn: Drawn) -> tuple[Booster, Booster | None]:
    """From the meter alone, and with the balance where sum meters deliver."""
    truth, settings = drawn.truth, config.models["booster"]
    # Theft that is older than the window has no honest past to differ from: the meter alone cannot learn it.
    rows = truth.counted
    booster = Booster(**settings).fit(drawn.seen.features[rows], truth.theft[rows])
    balanced = drawn.seen.balanced
    if not truth.theft[balanced].any() or truth.theft[balanced].all():
        return booster, None
    # The balance knows such theft, so here it teaches as well.
    return booster, Booster(**settings).fit(drawn.seen.both[balanced], truth.theft[balanced])


def learn_from_all(config: Config, stage: Stage, taught: Drawn, shown: Drawn) -> None:
    """What the boosters' scores mean is known from meters that taught nothing; now those may teach as well."""
    suspects = _most_like_theft(shown.truth, stage.booster.score(shown.seen.features), SUSPECTS)
    more = shown.without(suspects)
    all_of_them = joined([replace(taught, given={}), replace(more, given={})])
    stage.booster, stage.fused = _boosters(config, all_of_them)


def kinds_apart(settings: dict, drawn: Drawn) -> KindBooster:
    """Families, and honest changes by name; what was left alone has nothing to tell apart."""
    truth = drawn.truth
    rows = truth.counted & (truth.kind != UNTOUCHED)
    label = np.where(truth.theft, np.char.add(THEFT, truth.family.astype(str)), truth.kind.astype(str))
    return KindBooster(**settings).fit(drawn.seen.features[rows], label[rows])


def calibrate(stage: Stage, drawn: Drawn) -> None:
    """On cases of households that taught nothing."""
    truth = drawn.truth
    scores = stage.scores(drawn.seen, drawn.given)
    honest = truth.counted & ~truth.theft & ~_stealing_already(truth, scores["booster"])
    weight = population(truth)
    for part, values in scores.items():
        known = honest & ~np.isnan(values)
        if known.any() and part != "outcomes":  # that one is rare among visits in vain
            stage.tails[part] = Tail().fit(values[known], weight[known])
    rarities = stage.rarities(scores)
    modes = {METER: {part: values for part, values in rarities.items() if part != "balance"}}
    if "balance" in rarities:
        modes[FUSED] = rarities
    for mode, speaking in modes.items():
        evidence, _shares = stage.fuse(speaking, drawn.seen.trust)
        known = truth.counted & (drawn.seen.balanced if mode == FUSED else True)
        stage.tails[mode] = Tail().fit(evidence[known & honest], weight[known & honest])
        stage.chances[mode] = Chance().fit(evidence, truth.theft, population(truth, counts=known.astype(float)))


def _stealing_already(truth: Truth, scores: np.ndarray) -> np.ndarray:
    """(N,) bool: cases of the households that look worst as they are, as many as thieves are declared to be.

    The meters that calibrate are a utility's own, and some of them steal: taken for honest, they would move the line
    of what is rare among honest meters beyond most thieves.
    """
    return np.isin(truth.household, _most_like_theft(truth, scores, PREVALENCE))


def _most_like_theft(truth: Truth, scores: np.ndarray, share: float) -> np.ndarray:
    """(H,) that share of the households, by the mean score of their untouched cases."""
    untouched = truth.counted & (truth.kind == UNTOUCHED)
    households, row = np.unique(truth.household, return_inverse=True)
    count = np.bincount(row[untouched], minlength=len(households))
    mean = np.bincount(row[untouched], scores[untouched], len(households)) / np.maximum(count, 1)
    worst = np.argsort(np.where(count > 0, -mean, np.inf), kind="stable")
    return households[worst[: round(share * len(households))]]


def _evaluate(stage: Stage, drawn: Drawn, meters: int) -> dict:
    score, probability = _judged_by_the_others(stage, drawn)
    return held_out(
        score,
        drawn.truth,
        data=f"simulated theft and honest changes on {meters:,} meters of this utility that taught nothing; those that "
        "really steal count as honest, so this understates",
        probability=probability,
        plain=plain_rule(drawn.seen.features),
        importance=stage.booster.importance(names()),
    )


def _judged_by_the_others(stage: Stage, drawn: Drawn) -> tuple[np.ndarray, np.ndarray]:
    """(N,) scores and chances, each half of the households calibrated on the other: a chance that was fitted to a case
    is no evidence of being right about it. Too few households for halves are judged as the stage is."""
    half = drawn.truth.household % 2
    if len(np.unique(drawn.truth.household)) < FEWEST_FOR_HALVES:
        judged = stage.judge(drawn.seen, drawn.given)
        return judged.score, judged.probability
    score, probability = np.zeros(len(half)), np.zeros(len(half))
    for side in (0, 1):
        trial = replace(stage, tails=dict(stage.tails), chances={})
        calibrate(trial, drawn.take(half != side))
        mine = drawn.take(half == side)
        judged = trial.judge(mine.seen, mine.given)
        score[half == side], probability[half == side] = judged.score, judged.probability
    return score, probability
