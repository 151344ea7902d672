"""What was odd about the input, counted: printed beside the results, so that nothing is dropped in silence."""

from collections import Counter
from dataclasses import dataclass, field

SENTENCES = {
    "negative": "{count} readings are negative and count as missing",
    "absurd": "{count} readings are beyond {limit} kWh and count as missing",
    "not_a_number": "{count} cells hold no number and count as missing",
    "repeated": "{count} readings were sent more than once; the largest of each counts",
    "repeated_meter": "{count} meters come twice in one file and are joined: {examples}",
    "bad_stamp": "{count} rows have no readable time and are left out",
    "far_away": "{count} readings lie far from all others in time and are left out: {examples}",
    "nameless": "{count} rows or columns name no meter and are left out",
    "no_numbers": "{count} columns hold no numbers and are no meters: {examples}",
    "bad_row": "{count} lines have too many or too few columns and are left out",
    "off_interval": "{count} readings lie on longer intervals than the rest of their meter and are left out",
    "summed_up": "{count} meters are summed up to longer intervals",
    "mixed_intervals": "meters come in {count} intervals and are scored apart: {examples}",
    "cut_days": "only the last {count} days are used",
    "no_values": "{count} meters have no reading at all",
    "grid_unknown": "{count} meters are on no transformer of the grid file",
    "grid_only": "{count} meters of the grid file have no readings",
    "grid_twice": "{count} meters are on two transformers in the grid file; the first by name counts: {examples}",
    "sums_without_meters": "{count} sum meters have no meters under them and are left out: {examples}",
    "sums_without_grid": "the sums are left out: without --grid nobody knows which meters they deliver to",
    "sums_too_coarse": "{count} sum meters have longer intervals than their meters and are left out: {examples}",
    "sums_elsewhere": "{count} sum meters have no reading in the days of their meters and are left out: {examples}",
    "incomplete": "{count} transformers have too few of their meters here for a balance: {examples}",
    "outcome_unknown": "{count} outcomes are not known and are left out: {examples}",
    "outcome_elsewhere": "{count} outcomes are of meters without readings",
    "outcome_silent": "{count} outcomes say neither that something was found nor that nothing was: {examples}",
}
EXAMPLES = 3


@dataclass
class Notes:
    counts: Counter = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)

    def add(self, code: str, count: int = 1, example: object = None, limit: object = None) -> None:
        """Count something odd; `code` is a key of SENTENCES. Nothing happens when the count is 0."""
        if not count:
            return
        self.counts[code] += int(count)
        shown = self.examples.setdefault(code, [])
        if example is not None and len(shown) < EXAMPLES and str(example)[:60] not in shown:
            shown.append(str(example)[:60])
        if limit is not None:
            self.limits[code] = str(limit)

    def sentences(self) -> list[str]:
        """In the order of SENTENCES."""
        return [
            sentence.format(
                count=f"{self.counts[code]:,}",
                examples=", ".join(self.examples[code]) + (", ..." if self.counts[code] > EXAMPLES else ""),
                limit=self.limits.get(code, ""),
            )
            for code, sentence in SENTENCES.items()
            if self.counts[code]
        ]

    def as_dict(self) -> dict[str, dict]:
        """Code to its count and its sentence, for machines."""
        words = self.sentences()
        codes = [code for code in SENTENCES if self.counts[code]]
        return {code: {"count": self.counts[code], "sentence": text} for code, text in zip(codes, words, strict=True)}
