"""What the detection set out to reach: the floor of earlier trials on the same protocol, and the goal beyond it."""

from collections.abc import Mapping
from dataclasses import dataclass

from ml.evaluation.words import FIGURES


@dataclass(frozen=True)
class Goal:
    setting: str
    figure: str
    path: tuple[str, ...]
    """Where the figure lies among the rows of the protocol's study, or in `original`."""
    floor: float | None
    goal: float
    less_is_better: bool = False

    def value(self, report: Mapping) -> float | None:
        """None where the report does not have it."""
        place = report["studies"].get("protocol", {}).get("rows", {}) if self.path[0] != "original" else report
        for name in self.path:
            if not isinstance(place, Mapping) or name not in place:
                return None
            place = place[name]
        return place

    def met(self, value: float) -> str:
        """goal, floor, missed, or below where no floor was set."""
        sign = -1 if self.less_is_better else 1
        if sign * value >= sign * self.goal:
            return "goal"
        if self.floor is None:
            return "below"
        return "floor" if sign * value >= sign * self.floor else "missed"


def _headline(setting: str, row: str, detector: str, **figures: tuple[float, float]) -> list[Goal]:
    return [
        Goal(setting, FIGURES[figure], (row, detector, "headline", figure, "value"), floor, goal)
        for figure, (floor, goal) in figures.items()
    ]


GOALS = [
    *_headline(
        *("unsupervised, no simulation", "unsupervised", "unsupervised"), auc=(0.87, 0.92), recall_top10=(0.62, 0.75)
    ),
    *_headline(
        *("known, meter only", "known", "known"),
        auc=(0.969, 0.985),
        average_precision=(0.82, 0.90),
        recall_top10=(0.88, 0.93),
        detected_fpr5=(0.86, 0.92),
    ),
    *_headline(
        *("what ships, meter only", "shipped", "shipped"),
        auc=(0.94, 0.98),
        average_precision=(0.70, 0.87),
        recall_top10=(0.78, 0.91),
        detected_fpr5=(0.72, 0.89),
    ),
    Goal("family never seen", "AUC", ("families", "known", "mean", "auc"), 0.90, 0.94),
    Goal("family never seen", "detected at 5 %", ("families", "known", "mean", "detected_fpr5"), 0.60, 0.75),
    Goal("benign kind never seen", "false alarms, median kind", ("kinds", "known", "median"), 0.36, 0.10, True),
    Goal("benign kind never seen", "false alarms, worst kind", ("kinds", "known", "worst"), 0.92, 0.15, True),
    *_headline(
        *("balance fused", "known", "known_fused"),
        auc=(0.985, 0.995),
        recall_top10=(0.94, 0.98),
        detected_fpr1=(0.88, 0.95),
    ),
    *(
        Goal(f"fused, {fault}", "detected at 5 %", ("faults", fault, "known_fused", "detected_fpr5"), floor, 0.93)
        for fault, floor in (("3 foreign meters", 0.83), ("clock 30 min off", 0.75))
    ),
    Goal("ever-alarm 5 %", "found in 7 days", ("delay", "known", "found_in_7_days"), 0.57, 0.75),
    Goal("ever-alarm 5 %", "found in 14 days", ("delay", "known", "found_in_14_days"), 0.73, 0.90),
    Goal("onset", "within 3 days", ("onset", "known", "within_3_days"), 0.85, 0.95),
    Goal("family", "first guess", ("onset", "known", "family_first_guess"), 0.86, 0.92),
    Goal("family", "in two guesses", ("onset", "known", "family_in_two"), 0.94, 0.98),
    *_headline("transfer to Australia, meter only", "transfer", "known", auc=(0.93, 0.96)),
    *_headline("transfer to Australia, fused", "transfer", "known_fused", auc=(0.97, 0.985)),
    Goal("the original's setting", "AUC", ("original", "as described", "auc"), 0.926, 0.99),
    Goal("the original's setting", "F1", ("original", "as described", "f1"), 0.682, 0.95),
    Goal("the same with look-alikes", "AUC", ("original", "with look-alikes", "auc"), None, 0.97),
    Goal("the same with look-alikes", "F1", ("original", "with look-alikes", "f1"), None, 0.85),
]
