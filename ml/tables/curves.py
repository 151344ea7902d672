"""Readings of any shape, order and interval to arrays of meters, days and slots.

Two passes: the first learns who reports when, so that the second can put each reading into its place. What comes out
is the same whatever the order of rows, columns and files: meters are sorted by name, and of a reading that comes more
than once the largest counts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ml.tables import intervals
from ml.tables.notes import Notes
from ml.tables.shapes import Long, RowsAreMeters, RowsAreTimes, shape_of
from ml.tables.sources import InputError, Table, numbers_of
from ml.tables.stamps import UNREADABLE, clock_minutes, minutes_of
from ml.tables.words import kwh_factor, meter_name

Progress = Callable[[float, str], None]

MOST_KWH = 1e6
"""Of one reading; more is an error of the meter or of the unit."""
MOST_BYTES = 16 * 1024**3
FAR_DAYS = 200
"""Readings that lie so far from all others count as mistaken stamps, unless they are more than FAR_SHARE of all."""
FAR_SHARE = 0.01
DAYS = 84_100
"""Days from 1970 to 2200, the range of readable stamps."""
LATE = 120
"""A day's reading that carries its own zone may be stamped up to two hours before standard midnight."""


@dataclass(frozen=True, eq=False)
class Curves:
    meters: list[str]
    """Sorted by name."""
    kwh: np.ndarray
    """(M, D, S) float32, NaN for missing; nothing negative."""
    first_day: np.datetime64
    interval_minutes: int

    @property
    def days(self) -> int:
        return self.kwh.shape[1]


@dataclass
class _Piece:
    """Readings of a long table: one array element each."""

    meters: np.ndarray
    minutes: np.ndarray
    values: np.ndarray
    zoned: bool
    is_power: bool
    """kW, to be multiplied by the hours of the interval."""


@dataclass
class _Grid:
    """A wide table: who stands where, and when."""

    table: Table
    shape: RowsAreTimes | RowsAreMeters
    meters: np.ndarray
    """Of its columns, or of its rows; -1 for none."""
    minutes: np.ndarray
    """Of its rows, or of its columns."""
    zoned: bool


@dataclass
class _Scan:
    """What the first pass learns."""

    utc_offset: int
    notes: Notes
    names: list[str] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    spellings: dict[object, int] = field(default_factory=dict)
    """Position by the name as it is sent: a long file names each meter many times."""
    interval: list[int] = field(default_factory=list)
    """Of each meter, as the wide tables tell; 1441 for not yet known."""
    pieces: list[_Piece] = field(default_factory=list)
    grids: list[_Grid] = field(default_factory=list)

    def position_of(self, sent: object) -> int:
        """-1 for what names no meter."""
        at = self.spellings.get(sent)
        if at is None:
            at = self.spellings[sent] = self.position(meter_name(sent))
        return at

    def position(self, name: str) -> int:
        if not name:
            return -1
        at = self.positions.setdefault(name, len(self.names))
        if at == len(self.names):
            self.names.append(name)
            self.interval.append(1441)
        return at


def read_curves(
    tables: list[Table], utc_offset: int, notes: Notes, days: int | None = None, progress: Progress | None = None
) -> tuple[list[Curves], list[str]]:
    """Curves for each interval, the one of most meters first, and all names in the order of the input.

    `days` keeps only the last ones. Raises InputError when there is nothing to read.
    """
    tell = progress or (lambda fraction, doing: None)
    scan = _Scan(utc_offset, notes)
    for at, table in enumerate(tables):
        tell(0.5 * at / len(tables), f"looking at {table.name}")
        _look_at(table, scan)
    if not scan.names:
        raise InputError("no meter is named in what was given. Check the columns.")
    interval = _intervals(scan)
    groups = [_place(scan, interval == minutes, int(minutes), days, tell) for minutes in np.unique(interval)]
    curves = _on_used_intervals([group for group in groups if group is not None], notes)
    if not curves:
        raise InputError("no row has a readable time. Give times such as 2026-01-31 18:30.")
    curves.sort(key=lambda these: (-len(these.meters), these.interval_minutes))
    if len(curves) > 1:
        for these in curves:
            minutes = these.interval_minutes
            notes.add("mixed_intervals", example="daily" if minutes == 1440 else f"{minutes} minutes")
    notes.add("no_values", sum(int(np.isnan(row).all()) for these in curves for row in these.kwh))
    tell(1.0, "readings are in place")
    return curves, scan.names


def _look_at(table: Table, scan: _Scan) -> None:
    shape = shape_of(table, scan.utc_offset, scan.notes)
    if isinstance(shape, Long):
        _take_long(table, shape, scan)
    elif isinstance(shape, RowsAreTimes):
        wanted = [shape.time] + ([shape.clock] if shape.clock is not None else [])
        found = [_stamps(cells, shape, scan) for cells in table.rows(wanted, Notes())]
        minutes = np.concatenate([stamps for stamps, _ in found]) if found else np.zeros(0, np.int64)
        scan.notes.add("bad_stamp", (minutes == UNREADABLE).sum())
        names = [meter_name(table.columns[column]) for column in shape.meters]
        _take_grid(table, shape, names, minutes, any(zoned for _, zoned in found), scan)
    else:
        cells = [cells[0] for cells in table.rows([shape.meter], Notes(), texts=(shape.meter,))]
        names = [meter_name(name) for column in cells for name in column.to_pylist()]
        scan.notes.add("nameless", names.count(""))
        _take_grid(table, shape, names, shape.minutes, False, scan)


def _stamps(cells: list, shape: Long | RowsAreTimes, scan: _Scan) -> tuple[np.ndarray, bool]:
    minutes, zoned = minutes_of(cells[0], scan.utc_offset, shape.month_first)
    if shape.clock is not None:
        clock = clock_minutes(cells[1])
        known = (minutes != UNREADABLE) & (clock != UNREADABLE)
        minutes = np.where(known, minutes // 1440 * 1440 + clock, UNREADABLE)
    return minutes, zoned


def _take_grid(table: Table, shape, names: list[str], minutes: np.ndarray, zoned: bool, scan: _Scan) -> None:
    meters = np.array([scan.position(name) for name in names], int)
    known, times = np.unique(meters[meters >= 0], return_counts=True)
    for meter in known[times > 1]:
        scan.notes.add("repeated_meter", example=scan.names[meter])
    scan.grids.append(_Grid(table, shape, meters, minutes, zoned))
    good = minutes[minutes != UNREADABLE]
    if not len(good):
        return
    marks = np.bincount(good % 1440 // intervals.FINEST, minlength=intervals.MARKS)
    own = int(intervals.finest(marks[None])[0])
    for meter in known:
        scan.interval[meter] = min(scan.interval[meter], own)


def _take_long(table: Table, shape: Long, scan: _Scan) -> None:
    wanted = [at for at in (shape.time, shape.clock, shape.meter, shape.value) if at is not None]
    texts = tuple(at for at in (shape.time, shape.meter) if at is not None)
    factor = kwh_factor(table.columns[shape.value])
    alone = scan.position(meter_name(table.name) or "meter") if shape.meter is None else -1
    for cells in table.rows(wanted, scan.notes, texts):
        cells = dict(zip(wanted, cells, strict=True))
        stamps = [cells[at] for at in (shape.time, shape.clock) if at is not None]
        minutes, zoned = _stamps(stamps, shape, scan)
        if shape.meter is None:
            meters = np.full(len(minutes), alone)
        else:
            named = cells[shape.meter]
            known = np.array([*(scan.position_of(name) for name in named.dictionary.to_pylist()), -1])
            meters = known[named.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)]
        values = numbers_of(cells[shape.value], scan.notes, table.decimal)
        if factor not in (None, 1.0):
            values = values * np.float32(factor)
        values = _clean(values, scan.notes)
        scan.notes.add("bad_stamp", (minutes == UNREADABLE).sum())
        scan.notes.add("nameless", (meters < 0).sum())
        good = (minutes != UNREADABLE) & (meters >= 0) & ~np.isnan(values)
        scan.pieces.append(
            _Piece(meters[good].astype(np.int32), minutes[good].astype(np.int32), values[good], zoned, factor is None)
        )


def _clean(values: np.ndarray, notes: Notes) -> np.ndarray:
    """NaN for what no meter can have measured; in place where that is possible."""
    with np.errstate(invalid="ignore"):
        negative, absurd = values < 0, values > MOST_KWH
    if negative.any() or absurd.any():
        notes.add("negative", negative.sum())
        notes.add("absurd", absurd.sum(), limit=f"{MOST_KWH:,.0f}")
        values = np.where(negative | absurd, np.float32(np.nan), values)
    return values


def _intervals(scan: _Scan) -> np.ndarray:
    """(M,) minutes between the readings of each meter; of those without any, what most others have."""
    interval = np.array(scan.interval)
    if scan.pieces:
        counts = np.zeros(len(interval) * intervals.MARKS, np.int32)
        for piece in scan.pieces:
            mark = piece.minutes % 1440 // intervals.FINEST
            np.add.at(counts, piece.meters.astype(np.int64) * intervals.MARKS + mark, 1)
        counts = counts.reshape(-1, intervals.MARKS)
        sent = counts.any(1)
        interval[sent] = np.minimum(interval[sent], intervals.finest(counts[sent]))
    known = interval[interval <= 1440]
    values, times = np.unique(known, return_counts=True)
    interval[interval > 1440] = values[times.argmax()] if len(values) else 1440
    return interval


def _place(scan: _Scan, chosen: np.ndarray, minutes: int, days: int | None, tell: Progress) -> Curves | None:
    """The curves of the chosen meters on their common interval; None when none of them has a readable stamp."""
    span = _span(scan, chosen, minutes, days)
    if span is None:
        return None
    first, last = span
    members = sorted(np.flatnonzero(chosen), key=lambda meter: scan.names[meter])
    row = np.full(len(chosen), -1)
    row[members] = np.arange(len(members))
    cells = (last - first + 1) * (1440 // minutes)
    if 4 * len(members) * cells > MOST_BYTES:
        raise InputError(
            f"{len(members):,} meters over {last - first + 1:,} days take {4e-9 * len(members) * cells:.0f} GB. "
            "Give fewer meters at a time, or fewer days with --days."
        )
    kwh = np.full((len(members), cells), np.nan, np.float32)
    placed = 0
    for piece in scan.pieces:
        rows = row[piece.meters]
        place = _places(piece.minutes, minutes, first, cells, piece.zoned)
        good = (rows >= 0) & (place >= 0)
        values = piece.values[good] * np.float32(minutes / 60 if piece.is_power else 1)
        np.fmax.at(kwh.reshape(-1), rows[good] * cells + place[good], values)
        placed += len(values)
    for at, grid in enumerate(scan.grids):
        tell(0.5 + 0.5 * at / len(scan.grids), f"reading {grid.table.name}")
        placed += _place_grid(grid, row, _places(grid.minutes, minutes, first, cells, grid.zoned), kwh, scan.notes)
    scan.notes.add("repeated", placed - sum(int((~np.isnan(one)).sum()) for one in kwh))
    names = [scan.names[meter] for meter in members]
    return Curves(names, kwh.reshape(len(members), -1, 1440 // minutes), np.datetime64(first, "D"), minutes)


def _days(minutes: np.ndarray, interval: int, zoned: bool) -> np.ndarray:
    return (minutes + (LATE if zoned and interval == 1440 else 0)) // 1440


def _places(minutes: np.ndarray, interval: int, first: int, cells: int, zoned: bool) -> np.ndarray:
    """(N,) int64 slots since the first day, -1 for what lies outside."""
    if interval == 1440:
        place = _days(minutes, interval, zoned).astype(np.int64) - first
    else:
        place = (minutes.astype(np.int64) - first * 1440) // interval
    return np.where((minutes != UNREADABLE) & (place >= 0) & (place < cells), place, -1)


def _span(scan: _Scan, chosen: np.ndarray, interval: int, days: int | None) -> tuple[int, int] | None:
    """First and last day since 1970 of the readings of the chosen meters, without lonely ones far away."""
    counts = np.zeros(DAYS, np.int64)
    for piece in scan.pieces:
        day = _days(piece.minutes[chosen[piece.meters]], interval, piece.zoned)
        counts += np.bincount(day, minlength=DAYS)
    for grid in scan.grids:
        meters = int(chosen[grid.meters[grid.meters >= 0]].sum())
        if meters:
            good = grid.minutes[grid.minutes != UNREADABLE]
            counts += meters * np.bincount(_days(good, interval, grid.zoned), minlength=DAYS)
    found = np.flatnonzero(counts)
    if not len(found):
        return None
    stretches = np.split(found, np.flatnonzero(np.diff(found) > FAR_DAYS) + 1)
    weights = [int(counts[stretch].sum()) for stretch in stretches]
    kept = []
    for stretch, weight in zip(stretches, weights, strict=True):
        if weight >= FAR_SHARE * sum(weights) or weight == max(weights):
            kept.append(stretch)
        else:
            scan.notes.add("far_away", weight, example=np.datetime64(int(stretch[0]), "D"))
    first, last = int(kept[0][0]), int(kept[-1][-1])
    if days is not None and last - first + 1 > days:
        first = last - days + 1
        scan.notes.counts["cut_days"] = 0
        scan.notes.add("cut_days", days)
    return first, last


def _place_grid(grid: _Grid, row: np.ndarray, place: np.ndarray, kwh: np.ndarray, notes: Notes) -> int:
    """Put a wide table's readings into the rows of `kwh`; returns how many. `row` tells the row of each meter."""
    rows = np.where(grid.meters >= 0, row[grid.meters], -1)
    if not (rows >= 0).any() or not (place >= 0).any():
        return 0
    if isinstance(grid.shape, RowsAreMeters):
        pieces = ((ms, ts, kw.T) for ts, ms, kw in grid.table.matrices(grid.shape.columns, notes))
    else:
        pieces = grid.table.matrices(grid.shape.meters, notes)
    placed = 0
    for meters, times, numbers in pieces:
        mine, when = rows[meters], place[times]
        if (mine < 0).any() or (when < 0).any():
            numbers = numbers[np.ix_(mine >= 0, when >= 0)]
            mine, when = mine[mine >= 0], when[when >= 0]
        numbers = _clean(numbers, notes)
        placed += int((~np.isnan(numbers)).sum())
        for some_rows in _rounds(mine):
            for some in _rounds(when):
                _put(kwh, mine[some_rows], when[some], numbers[some_rows][:, some])
    return placed


def _rounds(places: np.ndarray) -> list[np.ndarray | slice]:
    """Selections in which no place repeats; nearly always one, of everything."""
    order = np.argsort(places, kind="stable")
    ranked = places[order]
    if not len(ranked) or (np.diff(ranked) > 0).all():
        return [slice(None)]
    starts = np.flatnonzero(np.diff(ranked, prepend=ranked[0] - 1))
    nth = np.empty(len(places), int)
    nth[order] = np.arange(len(places)) - np.repeat(starts, np.diff(starts, append=len(places)))
    return [np.flatnonzero(nth == n) for n in range(int(nth.max()) + 1)]


def _put(kwh: np.ndarray, rows: np.ndarray, places: np.ndarray, numbers: np.ndarray) -> None:
    if len(places) and (np.diff(places) == 1).all():
        columns = slice(int(places[0]), int(places[-1]) + 1)
        kwh[rows, columns] = np.fmax(kwh[rows, columns], numbers)
    else:
        where = np.ix_(rows, places)
        kwh[where] = np.fmax(kwh[where], numbers)


def _on_used_intervals(groups: list[Curves], notes: Notes) -> list[Curves]:
    """Curves on the intervals that detectors know, one for each; meters that really report less often among them."""
    found: dict[int, list[Curves]] = {}
    for group in groups:
        own = intervals.by_days(group.kwh, group.interval_minutes)
        used = np.array([intervals.USED.get(int(minutes), 1440) for minutes in own])
        if (used == group.interval_minutes).all():
            found.setdefault(group.interval_minutes, []).append(group)
            continue
        for minutes in np.unique(own):
            rows = np.flatnonzero(own == minutes)
            target = intervals.USED.get(int(minutes), 1440)
            kwh, left_out = group.kwh[rows], 0
            for step in (int(minutes) // group.interval_minutes, target // int(minutes)):
                kwh, lost = _sum_up(kwh, step)
                left_out += lost
            notes.add("off_interval", left_out)
            notes.add("summed_up", len(rows) if target > minutes else 0)
            names = [group.meters[row] for row in rows]
            found.setdefault(target, []).append(Curves(names, kwh, group.first_day, target))
    return [_joined(parts) for parts in found.values()]


def _sum_up(kwh: np.ndarray, step: int) -> tuple[np.ndarray, int]:
    if step == 1:
        return kwh, 0
    parts = [
        intervals.sum_up(kwh[start : start + intervals.METERS_AT_ONCE], step)
        for start in range(0, len(kwh), intervals.METERS_AT_ONCE)
    ]
    return np.concatenate([part for part, _ in parts]), sum(lost for _, lost in parts)


def _joined(parts: list[Curves]) -> Curves:
    """Curves of the same interval as one, over the days of all."""
    if len(parts) == 1:
        return parts[0]
    first = min(part.first_day for part in parts)
    last = max(part.first_day + part.days for part in parts)
    names = [name for part in parts for name in part.meters]
    row = {name: at for at, name in enumerate(sorted(names))}
    kwh = np.full((len(names), int((last - first).astype(int)), parts[0].kwh.shape[2]), np.nan, np.float32)
    for part in parts:
        start = int((part.first_day - first).astype(int))
        kwh[[row[name] for name in part.meters], start : start + part.days] = part.kwh
    return Curves(sorted(names), kwh, first, parts[0].interval_minutes)
