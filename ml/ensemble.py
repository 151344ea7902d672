"""The detectors together: one score, the chance of a find, what each part adds, since when, and why."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import numpy as np

from ml.change_point import CHANNELS, ChangePoint
from ml.config import Config, default_config
from ml.evidence import METERS_PER_BLOCK, Evidence, Neighbourhood
from ml.explain import explain
from ml.features import measure
from ml.findings import Finding
from ml.outcomes import Outcome
from ml.rules import Rules
from ml.stage import Judgement, Stage, see
from ml.training import Progress, train
from ml.window import MeterWindow


class Ensemble:
    """Learns from many meters, then scores meters: higher is more suspicious."""

    def __init__(self, config: Config | None = None):
        self.config = config or default_config()
        self.rules = Rules(self.config.rules["weights"])
        self.stages: dict[int, Stage] = {}
        """By reading interval in minutes."""
        self.networks: dict = {}
        self.held_out_: dict = {}
        """The evaluation on the meters that taught nothing, as `ml.evaluation.held_out` describes it."""
        self.trained_on_: dict = {}

    def fit(
        self, window: MeterWindow, outcomes: dict[str, Outcome] | None = None, progress: Progress | None = None
    ) -> Self:
        """Learn from simulated theft on the window's own curves, and from outcomes of visits where there are enough.

        `outcomes` says by meter whether a visit found a loss, and when. `progress(share done, what is being done)`.
        Raises ValueError when no meter of the window has enough data.
        """
        trained = train(self.config, self._recent(window), outcomes or {}, progress)
        self.stages, self.networks, self.held_out_ = trained.stages, trained.networks, trained.held_out
        self.trained_on_ = {
            "meters": len(window),
            "first_day": str(window.first_day),
            "days": window.days,
            "interval_minutes": window.interval_minutes,
        }
        return self

    def score(self, window: MeterWindow) -> np.ndarray:
        """(M,) in 0..1; 0 where there is too little data to say anything."""
        return self.judge_window(window).score

    def parts(self, window: MeterWindow) -> dict[str, np.ndarray]:
        """Part to the (M,) it adds to the score."""
        return self.judge_window(window).parts

    def judge(self, evidence: Evidence) -> Judgement:
        """What is thought of N meters, too little data or not."""
        interval = self.interval(evidence.interval_minutes)
        evidence = evidence.at_interval(interval)
        stage = self.stages[interval]
        seen = see(evidence)
        return stage.judge(seen, stage.given(self.networks, evidence, seen))

    def judge_window(self, window: MeterWindow) -> Judgement:
        """The same for all the meters of a window; a meter with too little data scores 0."""
        window = self._recent(window)
        blocks = [slice(at, min(at + METERS_PER_BLOCK, len(window))) for at in range(0, len(window), METERS_PER_BLOCK)]
        # Blocks do not need each other, and NumPy lets go of the interpreter while it counts.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            measured = pool.submit(measure, window)
            neighbourhood = Neighbourhood(window)
            scorable = measured.result().scorable
            if not scorable.any():
                return self._nothing_to_say(window)
            judged = list(pool.map(lambda rows: self.judge(neighbourhood.evidence(rows)), blocks))
        return Judgement.concatenate(judged).silenced(~scorable)

    def explain(self, window: MeterWindow) -> list[Finding]:
        """A finding for each meter, in the order of the window."""
        window = self._recent(window)
        judgement = self.judge_window(window)
        classes = self.stages[self.interval(window.interval_minutes)].kinds.classes
        return explain(window, measure(window), self.rules.evidence(window), judgement, classes, self.config)

    def interval(self, minutes: int) -> int:
        """The finest stage that readings of that interval make up; days they always do."""
        return min(interval for interval in self.stages if interval % minutes == 0)

    def _nothing_to_say(self, window: MeterWindow) -> Judgement:
        """About meters of which none has enough days."""
        nothing = np.zeros(len(window))
        stage = self.stages[self.interval(window.interval_minutes)]
        return Judgement(
            score=nothing,
            probability=nothing,
            parts=dict.fromkeys(stage.weights, nothing),
            kinds=np.zeros((len(window), len(stage.kinds.classes))),
            change=ChangePoint(nothing.astype(int), nothing, np.zeros((len(window), len(CHANNELS))), nothing),
            balanced=nothing.astype(bool),
            ranks=dict.fromkeys(stage.weights, nothing),
        )

    def _recent(self, window: MeterWindow) -> MeterWindow:
        """Older days say nothing about now, and every day costs."""
        return window.last(self.config.data["most_days"])
