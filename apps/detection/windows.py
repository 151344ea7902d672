"""From the database to the arrays that ml/ works on."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from django.conf import settings
from django.db.models import Count

from apps.grid.models import Connection, Consumer, Installation, Supply, Transformer
from apps.readings import profiles, times
from ml.window import MeterWindow

# Meters that stopped within the same week share a window; one that stopped long before gets a window of its own, so
# that every window ends at its meters' last reading and never at today.
SAME_END_DAYS = 7
# A transformer's gap is what its meters leave unexplained: with more of them missing there is always one.
LEAST_SHARE_OF_METERS = 0.95


@dataclass(frozen=True)
class Fitted:
    """When a meter measured a consumer, cut to the window."""

    consumer_id: int
    meter_id: int
    first_day: date
    last_day: date
    interval_minutes: int


@dataclass(frozen=True)
class Drawn:
    """A window, and whom its rows stand for in the database."""

    window: MeterWindow
    consumer_ids: list[int]  # of the rows
    transformers: list[int]  # of the rows of `window.sums`

    def take(self, rows: np.ndarray) -> "Drawn":
        """Some of the rows."""
        return replace(self, window=self.window.take(rows), consumer_ids=[self.consumer_ids[row] for row in rows])


def read(consumer_ids: list[int]) -> list[Drawn]:
    """Windows of consumers; consumers without any reading are in none."""
    fitted = fittings(consumer_ids)
    return [window_of(group) for group in alike(fitted)]


def fittings(consumer_ids: list[int]) -> list[Fitted]:
    links = Installation.objects.filter(consumer__in=consumer_ids).values_list(
        "consumer_id",
        "meter_id",
        "valid",
        "meter__state__first_day",
        "meter__state__last_day",
        "meter__state__interval_minutes",
    )
    return cut_to_links(links)


def cut_to_links(links: Iterable[tuple]) -> list[Fitted]:
    """From (consumer id, meter id, days of the link, first and last day with readings, interval); meters without any
    reading while they were fitted drop out. The day of a replacement belongs to both meters: `joined` says how."""
    links = list(links)
    begins = {(consumer_id, valid.lower) for consumer_id, _meter_id, valid, *_rest in links}
    fitted = []
    for consumer_id, meter_id, valid, first_day, last_day, interval_minutes in links:
        if first_day is None:
            continue
        first_day = max(first_day, valid.lower or first_day)
        if valid.upper:
            is_replaced = (consumer_id, valid.upper) in begins
            last_day = min(last_day, valid.upper if is_replaced else valid.upper - timedelta(days=1))
        if first_day <= last_day:
            fitted.append(Fitted(consumer_id, meter_id, first_day, last_day, interval_minutes))
    return fitted


def alike(fitted: list[Fitted]) -> list[list[Fitted]]:
    """Links grouped by consumers that are read at the same interval and whose readings end together."""
    end: dict[int, int] = {}
    interval: dict[int, int] = {}
    for link in fitted:
        end[link.consumer_id] = max(link.last_day.toordinal(), end.get(link.consumer_id, 0))
        interval[link.consumer_id] = max(link.interval_minutes, interval.get(link.consumer_id, 0))
    groups: list[list[Fitted]] = []
    begun = None
    for link in sorted(fitted, key=lambda link: (interval[link.consumer_id], -end[link.consumer_id], link.consumer_id)):
        own = interval[link.consumer_id], end[link.consumer_id]
        if begun is None or own[0] != begun[0] or begun[1] - own[1] >= SAME_END_DAYS:
            groups.append([])
            begun = own
        groups[-1].append(link)
    return groups


def window_of(fitted: list[Fitted]) -> Drawn:
    consumer_ids = sorted({link.consumer_id for link in fitted})
    last_day = max(link.last_day for link in fitted)
    # A day more than is scored: the last one may only have begun.
    first_day = max(min(link.first_day for link in fitted), last_day - timedelta(days=settings.SCORING_WINDOW_DAYS))
    stored = profiles.read_window([link.meter_id for link in fitted], first_day, last_day, measured_only=True)
    kwh = joined(fitted, stored.kwh, {consumer_id: row for row, consumer_id in enumerate(consumer_ids)}, first_day)
    sums = sums_of(consumer_ids, first_day, last_day, kwh.shape[2])
    window = MeterWindow(
        meters=numbers(consumer_ids),
        kwh=kwh,
        first_day=np.datetime64(first_day, "D"),
        interval_minutes=stored.interval_minutes,
        peer_group=peer_groups(consumer_ids),
        contract_active=contract_active(consumer_ids, first_day, kwh.shape[1]),
        timezone=settings.UTILITY_TIME_ZONE,
        utc_offset_minutes=times.utility_offset_minutes(),
        sums=sums and sums.kwh,
        sum_row=sums and sums.row_of(consumer_ids),
    )
    return Drawn(window, consumer_ids, sums.transformers if sums else [])


def joined(fitted: list[Fitted], stored: np.ndarray, row_of: dict[int, int], first_day: date) -> np.ndarray:
    """(consumers, D, S) kWh from the (links, D, S) of their meters: a replaced meter's days and its successor's meet in
    the consumer's row. On the day of the change the old one's hours stand where the new one has nothing yet."""
    kwh = np.full((len(row_of), *stored.shape[1:]), np.nan, dtype=np.float32)
    # One pass over links, not readings; the older first.
    for link, days in sorted(zip(fitted, stored, strict=True), key=lambda pair: pair[0].first_day):
        start, end = max((link.first_day - first_day).days, 0), (link.last_day - first_day).days + 1
        if end > start:
            row = kwh[row_of[link.consumer_id]]
            both = row[start].copy()
            row[start:end] = days[start:end]
            row[start] = np.where(np.isnan(row[start]), both, row[start])
    return kwh


@dataclass(frozen=True)
class Sums:
    """What the sum meters of T transformers measured, on the days and slots of a window."""

    transformers: list[int]
    kwh: np.ndarray  # (T, D, S)
    transformer_of: dict[int, int]  # consumer id → transformer id

    def row_of(self, consumer_ids: list[int]) -> np.ndarray:
        """(consumers,) row of the sum meter that delivers to each, -1 for none."""
        row = {transformer_id: row for row, transformer_id in enumerate(self.transformers)}
        return np.array([row.get(self.transformer_of.get(pk), -1) for pk in consumer_ids], dtype=np.int64)


def sums_of(consumer_ids: list[int], first_day: date, last_day: date, slots: int) -> Sums | None:
    """The sum meters of transformers that feed these consumers and nobody else; None where there is no such one."""
    transformer_of = dict(
        Connection.objects.current().filter(consumer__in=consumer_ids).values_list("consumer_id", "transformer_id")
    )
    complete = complete_transformers(transformer_of, first_day)
    metered = Transformer.objects.filter(pk__in=complete, sum_meter__state__isnull=False).order_by("pk")
    # A sum meter that reports more seldom than the meters cannot be held against their hours.
    meter_of = {
        pk: meter_id
        for pk, meter_id, minutes in metered.values_list("pk", "sum_meter", "sum_meter__state__interval_minutes")
        if profiles.MINUTES_PER_DAY // slots % minutes == 0
    }
    if not meter_of:
        return None
    stored = profiles.read_window(list(meter_of.values()), first_day, last_day, slots=slots, measured_only=True)
    return Sums(list(meter_of), stored.kwh, transformer_of)


def complete_transformers(transformer_of: dict[int, int], first_day: date) -> list[int]:
    """Transformers whose consumers are (nearly) all among these.

    Where somebody was moved to or from another transformer since the first day, neither of the two has a true balance.
    """
    here = Counter(transformer_of.values())
    moved = Connection.objects.filter(valid__endswith__gt=first_day, valid__upper_inf=False)
    torn = set(moved.filter(transformer__in=here).values_list("transformer_id", flat=True))
    torn |= {
        transformer_of[pk] for pk in moved.filter(consumer__in=transformer_of).values_list("consumer_id", flat=True)
    }
    fed = Connection.objects.current().filter(transformer__in=here).values_list("transformer_id")
    fed = dict(fed.annotate(Count("pk")))
    return [pk for pk in here if pk not in torn and here[pk] >= LEAST_SHARE_OF_METERS * fed[pk]]


def numbers(consumer_ids: list[int]) -> np.ndarray:
    number_of = dict(Consumer.objects.filter(pk__in=consumer_ids).values_list("pk", "number"))
    return np.array([number_of[consumer_id] for consumer_id in consumer_ids])


def peer_groups(consumer_ids: list[int]) -> np.ndarray:
    """Who is compared with whom: even numbers are transformers; without one, odd numbers are zones."""
    transformer_of = dict(
        Connection.objects.current().filter(consumer__in=consumer_ids).values_list("consumer_id", "transformer_id")
    )
    zone_of = dict(Consumer.objects.filter(pk__in=consumer_ids).values_list("pk", "zone_id"))
    return np.array(
        [peer_group_of(transformer_of[pk]) if pk in transformer_of else 2 * zone_of[pk] + 1 for pk in consumer_ids]
    )


def peer_group_of(transformer_id: int) -> int:
    return 2 * transformer_id


def contract_active(consumer_ids: list[int], first_day: date, days: int) -> np.ndarray:
    """(consumers, days) True where supply is under an active contract, or where no contract is known at all."""
    supplies = Supply.objects.filter(consumer__in=consumer_ids).values_list("consumer_id", "status", "valid")
    row_of = {consumer_id: row for row, consumer_id in enumerate(consumer_ids)}
    active = np.ones((len(consumer_ids), days), dtype=bool)
    active[[row_of[consumer_id] for consumer_id, _status, _valid in supplies]] = False
    for consumer_id, status, valid in supplies:
        if status == Supply.Status.ACTIVE:
            start = max((valid.lower - first_day).days, 0) if valid.lower else 0
            end = max((valid.upper - first_day).days, 0) if valid.upper else days
            active[row_of[consumer_id], start:end] = True
    return active
