"""Readings, grid and sum meters together as the windows that detectors look at."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa

from ml.tables import intervals
from ml.tables.curves import Curves, Progress, read_curves
from ml.tables.notes import Notes
from ml.tables.sources import InMemory, InputError, Table, open_table
from ml.tables.stamps import UNREADABLE, is_month_first, minutes_of, standard_offset
from ml.tables.words import DAY, METER, OUTCOME, TRANSFORMER, find, meter_name
from ml.window import MeterWindow

ENOUGH_METERS = 0.9
"""Share of a transformer's meters that must be in one window for its balance to count there."""
FINDS = {"bypass", "meter tampering", "illegal connection", "meter fault", "billing error", "tariff misuse"}
NO_FINDS = {"vacant", "legitimate change", "nothing found"}
SILENT = {"no access", ""}
YES, NO = {"1", "1.0", "true", "yes", "find", "found", "theft"}, {"0", "0.0", "false", "no", "no find", "honest"}


class Visit(NamedTuple):
    found: bool
    day: date | None


@dataclass(frozen=True, eq=False)
class Readings:
    windows: list[MeterWindow]
    """One for each interval, the one of most meters first; in each, meters are sorted by name."""
    order: list[str]
    """All meters in the order of the input."""
    notes: Notes


def read_readings(
    readings: list,
    grid=None,
    sums=None,
    timezone: str = "UTC",
    days: int | None = None,
    notes: Notes | None = None,
    progress: Progress | None = None,
) -> Readings:
    """Files or frames to windows. `readings` is a list of paths or pandas frames; `grid` and `sums` are one of them.

    Stamps without a zone are standard time of `timezone`. Raises InputError when something cannot be used.
    """
    notes = notes if notes is not None else Notes()
    offset = offset_of(timezone)
    curves, order = read_curves([as_table(one) for one in readings], offset, notes, days, progress)
    transformer = read_grid(as_table(grid, "grid"), notes) if grid is not None else {}
    if grid is not None:
        present = set(order)
        notes.add("grid_unknown", sum(meter not in transformer for meter in order))
        notes.add("grid_only", sum(meter not in present for meter in transformer))
    summed: list[Curves] = []
    if sums is not None and not transformer:
        notes.add("sums_without_grid")
    elif sums is not None:
        summed = _sums_with_meters(as_table(sums, "sums"), offset, transformer, set(order), notes)
    return Readings([_window(these, timezone, offset, transformer, summed, notes) for these in curves], order, notes)


def offset_of(timezone: str) -> int:
    """Raises InputError for a zone that is not known."""
    try:
        return standard_offset(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"timezone {timezone!r} is not known here. Give a name such as Europe/London or Etc/GMT-5."
        ) from error


def as_table(given, name: str = "meter") -> Table:
    if isinstance(given, str | Path):
        return open_table(given)
    return InMemory.of_frame(given, name)


def read_grid(table: Table, notes: Notes) -> dict[str, str]:
    """Meter to transformer. Raises InputError without such columns."""
    columns = table.columns
    transformer = find(columns, TRANSFORMER)
    meter = find(columns, METER, (transformer,))
    if None in (meter, transformer):
        if len(columns) != 2:
            raise InputError(f"{table.name}: needs the columns meter and transformer, not {', '.join(columns[:8])}.")
        if meter is None:
            meter = 0 if transformer is None else 1 - transformer
        transformer = 1 - meter
    found: dict[str, str] = {}
    for names, places in table.rows([meter, transformer], notes, texts=(meter, transformer)):
        for name, place in zip(names.to_pylist(), places.to_pylist(), strict=True):
            name, place = meter_name(name), meter_name(place)
            if not name or not place:
                notes.add("nameless", not name)
                continue
            if found.setdefault(name, place) != place:
                notes.add("grid_twice", example=name)
                found[name] = min(found[name], place)
    return found


def read_outcomes(given, meters: list[str], notes: Notes) -> dict[str, Visit]:
    """Meter to its latest visit that could tell. Raises InputError without such columns."""
    table = as_table(given, "outcomes")
    outcome = find(table.columns, OUTCOME)
    meter = find(table.columns, METER, (outcome,))
    if outcome is None or meter is None:
        raise InputError(f"{table.name}: needs the columns meter and outcome, not {', '.join(table.columns[:8])}.")
    day = find(table.columns, DAY, (outcome, meter))
    latest: dict[str, Visit] = {}
    present, elsewhere = set(meters), set()
    for cells in table.rows([at for at in (meter, outcome, day) if at is not None], notes):
        names, outcomes = cells[0].to_pylist(), cells[1].to_pylist()
        days = _days_of(cells[2]) if day is not None else [None] * len(names)
        for name, text, when in zip(map(meter_name, names), outcomes, days, strict=True):
            found = _found("" if text is None else str(text), notes)
            if name not in present:
                elsewhere.add(name)
            elif found is not None:
                visit = Visit(found, when)
                latest[name] = max(latest.get(name, visit), visit, key=_by_day)
    notes.add("outcome_elsewhere", len(elsewhere))
    return dict(sorted(latest.items()))


def _by_day(visit: Visit) -> tuple[date, bool]:
    """Of one day, and of visits without one, a find outweighs the rest: the order of the lines must not matter."""
    return visit.day or date.min, visit.found


def _days_of(column: pa.Array) -> list[date | None]:
    minutes, _zoned = minutes_of(column, 0, is_month_first(column))
    days = np.where(minutes == UNREADABLE, np.int64(np.iinfo(np.int64).min), minutes // 1440).astype("M8[D]")
    return days.tolist()


def _found(text: str, notes: Notes) -> bool | None:
    word = text.strip().lower().replace("_", " ").replace("-", " ")
    if word in FINDS | YES:
        return True
    if word in NO_FINDS | NO:
        return False
    notes.add("outcome_silent" if word in SILENT else "outcome_unknown", example=text or "empty")
    return None


def _sums_with_meters(
    table: Table, offset: int, transformer: dict[str, str], present: set[str], notes: Notes
) -> list[Curves]:
    """The curves of the sum meters that have meters here."""
    found = Notes()
    curves, names = read_curves([table], offset, found)
    for code in ("negative", "absurd", "not_a_number", "repeated", "bad_stamp", "far_away"):
        notes.add(code, found.counts[code], limit=found.limits.get(code))
    known = {place for meter, place in transformer.items() if meter in present}
    for name in names:
        if name not in known:
            notes.add("sums_without_meters", example=name)
    kept = []
    for these in curves:
        rows = [row for row, name in enumerate(these.meters) if name in known]
        if rows:
            names = [these.meters[row] for row in rows]
            kept.append(Curves(names, these.kwh[rows], these.first_day, these.interval_minutes))
    return kept


def _window(
    curves: Curves, timezone: str, offset: int, transformer: dict[str, str], summed: list[Curves], notes: Notes
) -> MeterWindow:
    places = sorted(set(transformer.values()))
    number = {place: at for at, place in enumerate(places)}
    group = np.array([number.get(transformer.get(meter, ""), -1) for meter in curves.meters], int)
    window = {}
    if summed:
        sums, names = _aligned(summed, curves, set(np.array(places)[np.unique(group[group >= 0])]), notes)
        complete = _complete(names, curves, transformer, notes)
        rows = {name: row for row, name in enumerate(names) if name in complete}
        if rows:
            chosen = list(rows.values())
            rows = {name: at for at, name in enumerate(rows)}
            sum_row = np.array([rows.get(transformer.get(meter, ""), -1) for meter in curves.meters], int)
            window = {"sums": sums[chosen], "sum_row": sum_row}
    return MeterWindow(
        meters=np.array(curves.meters, dtype=str),
        kwh=curves.kwh,
        first_day=curves.first_day,
        interval_minutes=curves.interval_minutes,
        peer_group=group,
        contract_active=np.ones(curves.kwh.shape[:2], bool),
        timezone=timezone,
        utc_offset_minutes=offset,
        **window,
    )


def _complete(names: list[str], curves: Curves, transformer: dict[str, str], notes: Notes) -> set[str]:
    """Transformers with nearly all of their meters among the curves."""
    known, here = {}, {}
    reporting = {meter for meter, row in zip(curves.meters, curves.kwh, strict=True) if not np.isnan(row).all()}
    for meter, place in transformer.items():
        known[place] = known.get(place, 0) + 1
        here[place] = here.get(place, 0) + (meter in reporting)
    complete = {name for name in names if here.get(name, 0) >= ENOUGH_METERS * known.get(name, 1)}
    for name in names:
        if name not in complete:
            notes.add("incomplete", example=name)
    return complete


def _aligned(summed: list[Curves], curves: Curves, wanted: set[str], notes: Notes) -> tuple[np.ndarray, list[str]]:
    """The (T, D, S) sums on the days and the interval of the curves, and the names of their transformers."""
    sums, names = [], []
    for these in summed:
        rows = [row for row, name in enumerate(these.meters) if name in wanted]
        step, rest = divmod(curves.interval_minutes, these.interval_minutes)
        if not rows:
            continue
        if rest or not step:
            for row in rows:
                notes.add("sums_too_coarse", example=these.meters[row])
            continue
        kwh = these.kwh[rows] if step == 1 else intervals.sum_up(these.kwh[rows], step)[0]
        at = int((these.first_day - curves.first_day).astype(int))
        placed = np.full((len(rows), *curves.kwh.shape[1:]), np.nan, np.float32)
        start, stop = max(at, 0), min(at + these.days, curves.days)
        if start < stop:
            placed[:, start:stop] = kwh[:, start - at : stop - at]
        for row, one in zip(rows, placed, strict=True):
            if np.isnan(one).all():
                notes.add("sums_elsewhere", example=these.meters[row])
            else:
                sums.append(one)
                names.append(these.meters[row])
    order = sorted(range(len(names)), key=names.__getitem__)
    if not order:
        return np.zeros((0, *curves.kwh.shape[1:]), np.float32), []
    return np.stack([sums[at] for at in order]), [names[at] for at in order]
