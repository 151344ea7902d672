"""Rows are days of meters, columns are times of day."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from django.utils.translation import gettext as _

from apps.readings.importers import counted, dates, headings, stamping, texts
from apps.readings.importers.base import Block, Reading
from apps.readings.importers.directions import without_unit
from apps.readings.importers.long import Long, find, find_meter, no_name
from apps.readings.importers.tables import Batch, Table, has_decimal_comma
from apps.readings.importers.wide_times import matrix

DAY = 1440
MOST_COLUMNS = 400
CLOCK = re.compile(r"(?:t_)?(\d{1,2})_?(\d{2})(?:_00)?")
# The first hour is H1 or HE1, or H0; the first quarter Q1.
COUNTED = re.compile(
    r"(?:(?:h|he|hr|hour|std|stunde|heure|hora|ora|uur|saat|godz|q|qh|p|period|slot|int|interval)_?)?(\d{1,3})"
)


@dataclass(frozen=True)
class Slots:
    """Columns of times of day, in order, with what comes behind them on days of more than 24 hours."""

    columns: list[int]
    beyond: list[int]
    counted: bool  # their names are numbers of intervals, and no times

    @property
    def minutes(self) -> int:
        return DAY // len(self.columns)


class WideHours:
    def slots(self, table: Table) -> Slots | None:
        """The columns that are called by times of day, or numbered through the day; None where these make no day."""
        if len(table.columns) > MOST_COLUMNS:
            return None
        words = [headings.word(without_unit(name)) for name in table.columns]
        for pattern, is_day in ((CLOCK, are_clocks), (COUNTED, are_counted)):
            found = [(place, match) for place, word in enumerate(words) if (match := pattern.fullmatch(word))]
            places = [place for place, _match in found]
            for count in counted.READINGS_A_DAY:
                more = len(found) - count  # an hour comes twice in autumn
                if more in {0, count // 24} and is_day([match for _place, match in found], count):
                    return Slots(places[:count], places[count:], pattern is COUNTED)
        return None

    def columns(self, table: Table) -> dict[str, int]:
        """Places of the other columns by what they hold; nothing where rows are no days of meters."""
        slots = self.slots(table)
        if slots is None:
            return {}
        taken = {*slots.columns, *slots.beyond}
        date, meter = dates.column_of(table), find_meter(table, taken)
        if date is None or meter is None or date in taken:
            return {}
        stamps = texts.stamps_of(table.sample_column(date), dates.month_first(table, date))
        if not stamps.valid.any() or (stamps.minutes[stamps.valid] % DAY).any():
            return {}
        found = {"meter": meter, "time": date}
        for role, names in (("channel", headings.CHANNEL), ("unit", headings.UNIT)):
            place = find(table, names, {*taken, *found.values()})
            if place is not None:
                found[role] = place
        return found

    def fits(self, table: Table) -> bool:
        return not table.headless and bool(self.columns(table))

    def value_name(self, table: Table) -> str:
        return "kWh" if "unit" in self.columns(table) else table.columns[self.slots(table).columns[0]]

    def month_first(self, table: Table, reading: Reading) -> bool:
        return dates.month_first(table, self.columns(table)["time"], reading=reading)

    def blocks(self, table: Table, reading: Reading) -> Iterator[Block]:
        slots, columns = self.slots(table), self.columns(table)
        values = [*slots.columns, *slots.beyond]
        comma = has_decimal_comma(table, values)
        month_first = self.month_first(table, reading)
        for batch in table.batches(reading, list(columns.values()), values):
            yield self._block(batch, table, columns, slots, month_first, comma, reading)

    def _block(
        self,
        batch: Batch,
        table: Table,
        columns: dict[str, int],
        slots: Slots,
        month_first: bool,
        comma: bool,
        reading: Reading,
    ) -> Block:
        places = [*slots.columns, *slots.beyond]
        cells = {role: batch.columns[place] for role, place in columns.items()}
        values = matrix(batch, places, [table.columns[place] for place in places], comma, reading)  # (slots, R)
        values = values.T
        meters = Long()._meters(cells["meter"], reading)
        stamps = texts.stamps_of(cells["time"], month_first)
        begins = self._begins(slots, stamps, ~np.isnan(values), reading)
        if slots.counted:  # each interval becomes a moment
            stamps = replace(stamps, zoned=np.ones(len(meters), dtype=bool))
        channels = texts.channels_of(cells["channel"]) if "channel" in cells else np.ones(len(meters), dtype=np.int8)
        to_kwh = texts.kwh_of(cells["unit"]) if "unit" in cells else np.ones(len(meters))

        def text(row: int) -> str:
            return ",".join(texts.shown(column[row]) for column in cells.values())

        good = (meters >= 0) | stamps.valid | ~np.isnan(values).all(axis=1)  # or the row is empty
        rows = np.flatnonzero(good)
        good[rows] = stamping.check(stamps.take(rows), batch.lines[rows], lambda i: text(rows[i]), reading)
        reading.dates_only = False
        for wrong, reason in (
            (meters < 0, no_name()),
            (channels == 0, _("the channel is no energy taken or given")),
            (to_kwh == 0, _("the unit is none of Wh, kWh and MWh")),
            (
                begins.refused,
                counted.no_such_interval(reading)
                if slots.counted
                else _("a day of 25 hours does not say which of them came twice: send stamps with their offset"),
            ),
        ):
            refused = np.flatnonzero(wrong & good)
            if len(refused):
                reading.rejects.add(batch.lines[refused], reason, lambda i, refused=refused: text(refused[i]))
                good &= ~wrong
        skipped = np.flatnonzero((begins.skipped & ~np.isnan(values)).any(axis=1) & good)
        if len(skipped):
            reading.rejects.add(batch.lines[skipped], counted.no_such_interval(reading), lambda i: text(skipped[i]))
        sent = begins.there & good[:, None]
        counts = sent.sum(axis=1)
        return Block(
            np.repeat(meters, counts),
            begins.minutes[sent].astype(np.int32),
            (values * to_kwh[:, None])[sent],
            np.repeat(batch.lines, counts),
            np.repeat(channels, counts) if (channels[good] != 1).any() else None,
        )

    def _begins(self, slots: Slots, stamps: texts.Stamps, filled: np.ndarray, reading: Reading) -> counted.Begins:
        """When the periods of each row begin."""
        if slots.counted:
            return counted.begins_of_rows(stamps.minutes // DAY, filled, slots.minutes, reading)
        numbers = np.arange(filled.shape[1])
        there = np.broadcast_to(numbers < len(slots.columns), filled.shape)
        minutes = stamps.minutes[:, None] + numbers * slots.minutes
        return counted.Begins(minutes, there, np.zeros_like(there), (filled & ~there).any(axis=1))


def are_clocks(matches: list[re.Match], count: int) -> bool:
    """Do these times of day begin or end the periods of a day, one after the other?"""
    minutes = np.array([int(match[1]) * 60 + int(match[2]) for match in matches[:count]])
    if any(int(match[2]) > 59 for match in matches):
        return False
    starts = np.arange(count) * (DAY // count)
    ends = starts + DAY // count
    return bool((minutes == starts).all() or (minutes % DAY == ends % DAY).all())


def are_counted(matches: list[re.Match], count: int) -> bool:
    numbers = np.array([int(match[1]) for match in matches])
    return bool((numbers == np.arange(len(numbers)) + numbers[0]).all() and numbers[0] in {0, 1})
