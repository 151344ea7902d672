"""Rows are bills: meter, first day, last day, energy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from django.utils.translation import gettext as _

from apps.readings.importers import dates, headings, stamping, texts
from apps.readings.importers.base import Block, Reading, RegisterPeriods
from apps.readings.importers.event_tables import nothing
from apps.readings.importers.long import NEEDED, Long, find, guessed, no_name, said
from apps.readings.importers.tables import Batch, Table, has_decimal_comma, words_of
from apps.readings.quality import is_made_up

DAY = 1440
SHORTEST_DAYS = 2  # what is shorter is a reading of its day


@dataclass(frozen=True)
class Bills:
    chosen: Mapping[str, str | list[str]] = field(default_factory=dict)  # column by what it holds, as a person said

    def columns(self, table: Table) -> dict[str, int]:
        """Places of columns by what they hold; nothing where these are no bills."""
        return self.said(table) or self.guessed(table)

    def said(self, table: Table) -> dict[str, int]:
        roles = said(table, self.chosen)
        return roles if {*NEEDED, "end"} <= set(roles) else {}

    def guessed(self, table: Table) -> dict[str, int]:
        found = guessed(table)
        found.pop("export", None)
        if not {"meter", "time", "value"} <= set(found) or "clock" in found or table.headless:
            return {}
        end = find(table, headings.ENDS, set(found.values()))
        if end is None or words_of(table)[found["time"]] not in headings.STARTS:
            return {}
        return found | {"end": end}

    def fits(self, table: Table) -> bool:
        columns = self.columns(table)
        if not columns or self.said(table):
            return bool(columns)
        month_first = dates.month_first(table, columns["time"], columns["end"])
        start, end = (texts.stamps_of(table.sample_column(columns[name]), month_first) for name in ("time", "end"))
        good = start.valid & end.valid
        midnights = not ((start.minutes % DAY)[good].any() or (end.minutes % DAY)[good].any())
        return bool(good.any()) and midnights and np.median((end.minutes - start.minutes)[good]) >= SHORTEST_DAYS * DAY

    def value_name(self, table: Table) -> str:
        columns = self.columns(table)
        return "kWh" if "unit" in columns else table.columns[columns["value"]]

    def month_first(self, table: Table, reading: Reading) -> bool:
        columns = self.columns(table)
        return dates.month_first(table, columns["time"], columns["end"], reading=reading)

    def blocks(self, table: Table, reading: Reading) -> Iterator[Block]:
        columns = self.columns(table)
        comma = has_decimal_comma(table, [columns["value"]])
        month_first = self.month_first(table, reading)
        found = []
        others = [place for name, place in columns.items() if name != "value"]
        for batch in table.batches(reading, others, [columns["value"]]):
            found.append(self._periods(batch, columns, month_first, comma, reading))
            if len(found) == 1:
                reading.registers.append(with_last_days(found))  # for who looks at the beginning of the file alone
            yield nothing()
        if len(found) > 1:
            reading.registers[-1] = with_last_days(found)

    def _periods(
        self, batch: Batch, columns: dict[str, int], month_first: bool, comma: bool, reading: Reading
    ) -> RegisterPeriods:
        """The periods of some rows; what the end says is still to be understood."""
        cells = {role: batch.columns[place] for role, place in columns.items()}
        meters = Long()._meters(cells["meter"], reading)
        values, not_numbers = texts.numbers_of(cells["value"], comma)
        start, end = (texts.stamps_of(cells[name], month_first) for name in ("time", "end"))
        channels = texts.channels_of(cells["channel"]) if "channel" in cells else np.ones(len(values), dtype=np.int8)
        to_kwh = texts.kwh_of(cells["unit"]) if "unit" in cells else np.ones(len(values))
        quality = texts.quality_of(cells["quality"]) if "quality" in cells else np.zeros(len(values), dtype=np.int8)

        def text(row: int) -> str:
            return ",".join(texts.shown(column[row]) for column in cells.values())

        good = (meters >= 0) | ~np.isnan(values) | start.valid | end.valid  # or the row is empty
        for stamps in (start, end):
            rows = np.flatnonzero(good)
            good[rows] = stamping.check(
                stamps.take(rows), batch.lines[rows], lambda i, rows=rows: text(rows[i]), reading
            )
        for wrong, reason in (
            (meters < 0, no_name()),
            (not_numbers, _("not a number")),
            (channels == 0, _("the channel is no energy taken or given")),
            (to_kwh == 0, _("the unit is none of Wh, kWh and MWh")),
        ):
            rows = np.flatnonzero(wrong & good)
            if len(rows):
                reading.rejects.add(batch.lines[rows], reason, lambda i, rows=rows: text(rows[i]))
                good &= ~wrong
        return RegisterPeriods(
            meters[good],
            start.minutes[good] // DAY,
            end.minutes[good] // DAY,
            (values * to_kwh)[good],
            batch.lines[good],
            is_made_up(quality[good]),
            channels[good],
        )


def with_last_days(found: list[RegisterPeriods]) -> RegisterPeriods:
    """All periods with their last day. Some senders name that day, others the day of the read, which begins the next
    bill: bills of a meter that follow each other say which. Where none do, the day of the month does: from the 5th to
    the 5th is a month."""
    names = ("meters", "first_day", "last_day", "values", "lines", "estimated", "channels")
    columns = {name: np.concatenate([getattr(part, name) for part in found]) for name in names}
    order = np.lexsort((columns["first_day"], columns["channels"], columns["meters"]))
    first, end = columns["first_day"][order], columns["last_day"][order]
    follows = (np.diff(columns["meters"][order]) == 0) & (np.diff(columns["channels"][order]) == 0)
    apart = (first[1:] - end[:-1])[follows]
    shared, named = int((apart == 0).sum()), int((apart == 1).sum())
    if not shared + named:
        of_month = [
            days.astype("datetime64[D]") - days.astype("datetime64[D]").astype("datetime64[M]") for days in (first, end)
        ]
        shared, named = int((of_month[0] == of_month[1]).sum()), int((of_month[0] != of_month[1]).sum())
    if shared > named:
        columns["last_day"] = columns["last_day"] - 1
    return RegisterPeriods(**columns)
