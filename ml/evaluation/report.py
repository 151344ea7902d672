"""An evaluation as tables to read: the same for the terminal and for the model card."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ml.evaluation.goals import GOALS
from ml.evaluation.words import FIGURES, TITLES

SHOWN = ("auc", "average_precision", "precision_top5", "recall_top10", "detected_fpr1", "detected_fpr5")


@dataclass(frozen=True)
class Table:
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def as_text(report: Mapping) -> str:
    return "\n".join(_text(table) for table in tables(report))


def as_markdown(table: Table, level: int = 3) -> str:
    lines = [f"{'#' * level} {table.title}", ""]
    lines += ["| " + " | ".join(table.header) + " |", "|---" + "|---:" * (len(table.header) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in table.rows]
    return "\n".join([*lines, "", *([table.note, ""] if table.note else [])])


def _text(table: Table) -> str:
    widths = [max(len(row[at]) for row in [table.header, *table.rows]) for at in range(len(table.header))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        return "  ".join(cells).rstrip()

    lines = [table.title, "-" * len(table.title), line(table.header), *map(line, table.rows)]
    return "\n".join([*lines, *([table.note] if table.note else []), ""])


def tables(report: Mapping) -> Iterator[Table]:
    if "protocol" in report["studies"]:
        yield goals(report)
    for study in report["studies"].values():
        yield from study_tables(study)
    if report.get("original"):
        yield original(report["original"])


def goals(report: Mapping) -> Table:
    rows = []
    for goal in GOALS:
        value = goal.value(report)
        floor = "" if goal.floor is None else _figure(goal.floor)
        reached = "" if value is None else goal.met(value)
        rows.append([goal.setting, goal.figure, _figure(value), floor, _figure(goal.goal), reached])
    return Table("Floor and goal", ["setting", "figure", "value", "floor", "goal", "reached"], rows)


def study_tables(study: Mapping) -> Iterator[Table]:
    rows, where = study["rows"], f"{study['title']}; part {study['part']}"
    for name in ("unsupervised", "known", "shipped", "transfer"):
        if rows.get(name):
            yield headlines(f"{HEADINGS[name]} ({where})", rows[name], study["about"][name]["splits"])
    for name in ("known", "shipped"):
        if name in rows:
            yield by_kind(f"Per attack, detected at 5 % false alarms: {HEADINGS[name]}", rows[name], "by_attack")
            yield by_kind(f"Per look-alike, false alarms at 5 %: {HEADINGS[name]}", rows[name], "false_alarms")
    if "families" in rows:
        yield grid("Attack family that nobody simulated: AUC", rows["families"], "auc")
        yield grid("Attack family that nobody simulated: detected at 5 %", rows["families"], "detected_fpr5")
    if "kinds" in rows:
        yield grid("Look-alike that nobody simulated: false alarms at a nominal 5 %", rows["kinds"])
    if "faults" in rows:
        faults = rows["faults"]
        turned = {name: {fault: faults[fault][name] for fault in faults} for name in next(iter(faults.values()))}
        yield grid("Faults of the balance: detected at 5 %", turned, "detected_fpr5")
        yield grid("Faults of the balance: AUC", turned, "auc")
    if "delay" in rows:
        yield grid("Delay, when 5 % of the honest meters may ever alarm", rows["delay"])
    if "onset" in rows:
        yield grid("First day and family of the detected thefts", rows["onset"])
    if "decisions" in rows:
        yield from decisions(rows["decisions"])
    if "clock" in rows:
        yield clock(rows["clock"])
    if "leakage" in rows:
        yield leakage(rows["leakage"])
    about = [
        [name, str(row["splits"]), f"{row['seconds']:.0f}", " ".join(row["code"])]
        for name, row in study["about"].items()
    ]
    yield Table("What was computed", ["row", "splits", "seconds", "code"], about)
    if "cost" in rows:
        cost = {title(name): {"seconds": value} for name, value in rows["cost"].items() if name != "cases"}
        yield grid("Seconds for 1,000 meters, one core", {"seconds": {name: c["seconds"] for name, c in cost.items()}})


GRAIN_NOTE = (
    "The grain alone tells changed curves of the real households from untouched ones: the protocol rounds a fifth of "
    "the meters to half watt-hours that their own readings hardly ever show. Whether a detector reads that is seen by "
    "rounding every reading to whole watt-hours: its AUC must not fall."
)
HEADINGS = {
    "unsupervised": "Detectors that were never shown a theft",
    "known": "Trained on the same attacks and look-alikes, other households",
    "shipped": "What ships: trained on our own simulator alone",
    "transfer": "Another country, without retraining",
}


def title(name: str) -> str:
    return TITLES.get(name, name.replace("_", " "))


def headlines(heading: str, found: Mapping, splits: int) -> Table:
    rows = [
        [title(name), *(_interval(report["headline"].get(figure)) for figure in SHOWN)]
        for name, report in found.items()
    ]
    note = f"Mean of {splits} split{'s' if splits > 1 else ''}; in brackets the 95 % interval over households."
    return Table(heading, ["detector", *(FIGURES[figure] for figure in SHOWN)], rows, note)


def by_kind(heading: str, found: Mapping, table: str) -> Table:
    kinds = next(iter(found.values()))[table]

    def cell(report, kind):
        value = report[table].get(kind)
        return _figure(value["detected_fpr5"] if isinstance(value, Mapping) else value)

    rows = [[kind.replace("_", " "), *(cell(report, kind) for report in found.values())] for kind in kinds]
    return Table(heading, ["kind", *map(title, found)], rows)


def grid(heading: str, found: Mapping, figure: str | None = None) -> Table:
    """{column: {row: value}} or {column: {row: {figure: value}}}."""
    names = list(dict.fromkeys(name for column in found.values() for name in column))

    def cell(column, name):
        value = column.get(name)
        return _figure(value[figure] if figure and value is not None else value)

    rows = [[name.replace("_", " "), *(cell(column, name) for column in found.values())] for name in names]
    return Table(heading, ["", *map(title, found)], rows)


def decisions(found: Mapping) -> Iterator[Table]:
    for name, summary in found.items():
        rows = [
            [f"{row['visited_share']:.0%}", *(_figure(row[key]) for key in ("precision", "recall", "energy_share"))]
            for row in summary["budget"]
        ]
        yield Table(f"Visits: {title(name)}", ["meters visited", "precision", "recall", "energy found"], rows)
        told = summary["calibration"]
        if told:
            rows = [
                [_figure(point["predicted"]), _figure(point["observed"]), _figure(point["share"])]
                for point in told["points"]
            ]
            yield Table(
                f"Calibration at {told['prevalence']:.0%} theft: {title(name)}",
                ["stated chance", "really", "share of meters"],
                rows,
                f"Brier {told['brier']:.4f} (without a model {told['brier_without_model']:.4f}), "
                f"expected calibration error {told['error']:.4f}.",
            )


def clock(found: Mapping) -> Table:
    rows = [
        [f"{season}, {title(name)}", _figure(value["largest_difference"]), _figure(value["if_the_clock_is_ignored"])]
        for season, detectors in found.items()
        for name, value in detectors.items()
    ]
    header = ["clock change", "largest difference of a score", "if civil time were ignored"]
    return Table("The same lives across a clock change, and without one", header, rows)


def leakage(found: Mapping) -> Table:
    rows = [["identity attack, " + title(name), _figure(value), "0.500"] for name, value in found["identity"].items()]
    rows += [
        [f"AUC gained by the grain of the register, {title(name)}", _figure(-value), "0.000"]
        for name, value in found["whole_watt_hours"].items()
    ]
    rows += [
        ["gaps alone", _figure(found["missingness"]), "0.500"],
        ["grain of the register alone", _figure(found["grain"]), "0.500"],
        ["labels dealt anew", _figure(found["label_permutation"]), "0.500"],
        ["meters on both sides of the split", str(found["shared_meters"]), "0"],
        ["curves on both sides of the split", str(found["pairs_alike"]), "0"],
    ]
    return Table("Leakage audit: AUC of what must know nothing", ["probe", "found", "must be"], rows, GRAIN_NOTE)


def original(found: Mapping) -> Table:
    rows = [
        [f"{setting}, {title(name)}", *(_figure(figures.get(key)) for key in ("auc", "f1", "precision", "recall"))]
        for setting, detectors in found.items()
        if isinstance(detectors, Mapping)
        for name, figures in detectors.get("detectors", {}).items()
    ]
    return Table("The original's own setting, synthetic", ["city, detector", "AUC", "F1", "precision", "recall"], rows)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _interval(found: Mapping | None) -> str:
    return "" if found is None else f"{found['value']:.3f} ({found['low']:.3f}-{found['high']:.3f})"
