"""A whole made-up city: places, contracts, meters, what they registered, who cheats, and what crews found so far.

What is known to be too kind: theft, look-alikes and detectors have one author, habits are smooth mixtures, and unless
asked for, the map of who hangs on which transformer has no errors. Figures from here flatter: they compare detectors
and promise nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from ml.calendar import from_civil_days, slots_ahead
from ml.synthetic import history
from ml.synthetic.attacks import ATTACKS, FAMILIES, FAMILY, steal
from ml.synthetic.faults import delayed, draw_fault, technical_loss
from ml.synthetic.geography import CITY, Feeder, Geography, Point, Transformer, Zone, lay_out
from ml.synthetic.history import Contract, Inspection, Meter, MeterEvent, Plan
from ml.synthetic.holidays import public_holidays, school_holidays
from ml.synthetic.home import Home, from_some_hour_on
from ml.synthetic.load import HOUSEHOLD, INDUSTRY, SHOP, make_loads
from ml.synthetic.look_alikes import LOOK_ALIKES, change
from ml.synthetic.misuse import MISUSE, ORIGINAL
from ml.synthetic.weather import Climate, make_climate
from ml.window import MeterWindow

TIMEZONE = "Europe/London"
UTC_OFFSET_MINUTES = 0
TRANSFORMERS_PER_BLOCK = 16
GRAIN = 3
"""Decimals of a kWh that the registers count: a finer grain would betray what was computed."""

_ZERO = ("stopped", *FAMILIES["on_off"], "window_zeroed")
_DECLINE = (*FAMILIES["drift"], "heating_bypassed")
_KINDS: dict[str, tuple[float, tuple[str, ...]]] = {
    "sudden_spike": (0.06, ("building_site_supplied",)),
    "zero_consumption": (0.24, _ZERO),
    "odd_hours": (0.06, ("machines_at_night",)),
    "gradual_decline": (0.26, _DECLINE),
    "neighbourhood_deviation": (0.38, tuple(sorted(set(FAMILY) - set(_ZERO) - set(_DECLINE)))),
}
"""The five kinds of anomaly: their shares of the thefts, and what lies behind them."""
_ORIGINAL_KINDS = {kind: (1 / len(ORIGINAL), (kind,)) for kind in ORIGINAL}
_AT_HOMES = tuple(sorted(set(LOOK_ALIKES) - {"outage", "closed_days"}))
_AT_SHOPS = (
    *("closed_days", "meter_replaced", "efficient_appliances", "new_lamps", "gradual_saving", "base_load_removed"),
    *("new_tenant", "moved_out", "new_solar", "air_conditioning", "renovation", "vacation", "cheap_hours_used"),
)


@dataclass(frozen=True)
class Recipe:
    """How many do what."""

    thieves: float = 0.05
    look_alikes: float = 0.15
    past_thieves: float = 0.018
    """Stole inside the window, until a crew came."""
    clustered: bool = True
    """Whether theft has neighbourhoods: some feeders' stretches have four times the rate of others."""
    faulty: float = 0.0
    """Share of transformers with a wrong list of meters, a clock that is late, a noisy sum meter."""
    natural_spikes: float = 0.0
    """Share of consumers with a few days of honest peaks far above their own."""
    original: bool = False
    """Only the five named anomalies, as the first description of the project has them."""


ORDINARY = Recipe()
AS_ORIGINALLY_DESCRIBED = Recipe(look_alikes=0, past_thieves=0, clustered=False, original=True)
"""5 % anomalies of five kinds and nothing beside them; `replace` it for look-alikes or natural spikes."""


@dataclass(frozen=True)
class Consumer:
    number: str
    name: str
    address: str
    kind: str
    """household, shop or industry."""
    zone: int
    transformer: int
    place: Point


@dataclass(frozen=True, eq=False)
class Truth:
    """What no utility knows; one entry per consumer."""

    kind: np.ndarray
    """str: one of the five kinds while the theft goes on at the window's end, else empty."""
    formula: np.ndarray
    """str: which formula lies behind the kind or behind the theft that ended, else empty."""
    look_alike: np.ndarray
    """str: which honest change, else empty."""
    onset_day: np.ndarray
    """datetime64[D]: when the theft or the honest change began; NaT without one. Day 0 may mean before it."""
    past_theft: np.ndarray
    """bool: a theft inside the window that a crew found and ended."""
    missing_kwh: np.ndarray
    """float: consumed and not registered, all days together."""

    @property
    def steals(self) -> np.ndarray:
        """bool: worth a visit at the window's end."""
        return self.kind != ""


@dataclass(frozen=True, eq=False)
class City:
    """Indices (zone, feeder, transformer, consumer) count into the lists of this city."""

    name: str
    seed: int
    first_day: np.datetime64
    interval_minutes: int
    timezone: str
    utc_offset_minutes: int
    zones: list[Zone]
    feeders: list[Feeder]
    transformers: list[Transformer]
    consumers: list[Consumer]
    contracts: list[Contract]
    meters: list[Meter]
    """In the order of the rows of `kwh`: the first of each consumer, in the consumers' order, then replacements."""
    kwh: np.ndarray
    """(meters, D, S) float32 as registered, days of standard time, NaN where a reading is missing or no meter hung."""
    transformer_kwh: np.ndarray
    """(transformers, D, S) float32 as the sum meters registered it: true use and technical losses."""
    events: list[MeterEvent]
    inspections: list[Inspection]
    truth: Truth

    @property
    def days(self) -> int:
        return self.kwh.shape[1]

    @cached_property
    def contract_active(self) -> np.ndarray:
        """(consumers, D) bool."""
        return _active(self.contracts, len(self.consumers), self.first_day, self.days)

    def window(self) -> MeterWindow:
        """One row per consumer (its number), a replaced meter's readings joined to its successor's."""
        kwh = self.kwh[: len(self.consumers)].copy()
        for row in range(len(self.consumers), len(self.meters)):
            owner = self.meters[row].consumer
            kwh[owner] = np.where(np.isnan(self.kwh[row]), kwh[owner], self.kwh[row])
        transformer = np.array([consumer.transformer for consumer in self.consumers])
        return MeterWindow(
            meters=np.array([consumer.number for consumer in self.consumers]),
            kwh=kwh,
            first_day=self.first_day,
            interval_minutes=self.interval_minutes,
            peer_group=transformer,
            contract_active=self.contract_active,
            timezone=self.timezone,
            utc_offset_minutes=self.utc_offset_minutes,
            sums=self.transformer_kwh,
            sum_row=transformer,
        )


@dataclass(frozen=True, eq=False)
class Block:
    """Some whole transformers of a city, with their consumers' joined readings."""

    first_day: np.datetime64
    interval_minutes: int
    consumers: list[Consumer]
    first_transformer: int
    transformers: list[Transformer]
    kwh: np.ndarray
    """(consumers, D, S) float32 as registered, NaN where a reading is missing."""
    transformer_kwh: np.ndarray
    contract_active: np.ndarray
    """(consumers, D) bool."""
    events: list[MeterEvent]
    truth: Truth

    def window(self) -> MeterWindow:
        transformer = np.array([consumer.transformer for consumer in self.consumers])
        return MeterWindow(
            meters=np.array([consumer.number for consumer in self.consumers]),
            kwh=self.kwh,
            first_day=self.first_day,
            interval_minutes=self.interval_minutes,
            peer_group=transformer,
            contract_active=self.contract_active,
            timezone=TIMEZONE,
            utc_offset_minutes=UTC_OFFSET_MINUTES,
            sums=self.transformer_kwh,
            sum_row=transformer - self.first_transformer,
        )


def generate_city(
    seed: int,
    consumers: int = 2000,
    days: int = 180,
    interval_minutes: int = 60,
    first_day: np.datetime64 | str = "2025-10-01",
    recipe: Recipe = ORDINARY,
) -> City:
    """The same arguments give the same city. Needs 60 days or more, so that thefts can begin, and end, inside them."""
    frame = _Frame(seed, consumers, days, interval_minutes, first_day, recipe)
    kwh = np.empty((consumers, days, frame.slots), np.float32)
    sums = np.empty((len(frame.ground.transformers), days, frame.slots), np.float32)
    events, truths, row = [], [], 0
    for block in frame.blocks():
        kwh[row : row + len(block.kwh)] = block.kwh
        row += len(block.kwh)
        sums[block.first_transformer : block.first_transformer + len(block.transformers)] = block.transformer_kwh
        events += block.events
        truths.append(block.truth)
    rng = np.random.default_rng([seed, 2])
    meters, kwh = history.hang_meters(rng, kwh, frame.first_day)
    return City(
        name=CITY,
        seed=seed,
        first_day=frame.first_day,
        interval_minutes=interval_minutes,
        timezone=TIMEZONE,
        utc_offset_minutes=UTC_OFFSET_MINUTES,
        zones=frame.ground.zones,
        feeders=frame.ground.feeders,
        transformers=frame.ground.transformers,
        consumers=frame.consumers,
        contracts=frame.contracts,
        meters=meters,
        kwh=kwh,
        transformer_kwh=sums,
        events=sorted(events, key=lambda event: event.at),
        inspections=history.inspections(rng, frame.plan, frame.first_day, days),
        truth=Truth(
            **{one.name: np.concatenate([getattr(part, one.name) for part in truths]) for one in fields(Truth)}
        ),
    )


def stream_city(
    seed: int,
    consumers: int = 10_000,
    days: int = 365,
    interval_minutes: int = 60,
    first_day: np.datetime64 | str = "2025-01-01",
    recipe: Recipe = ORDINARY,
) -> Iterator[Block]:
    """The readings of the same city as `generate_city` makes, some transformers at a time: memory stays bounded."""
    yield from _Frame(seed, consumers, days, interval_minutes, first_day, recipe).blocks()


class _Frame:
    """All of a city but its readings: small, and known before the first of them is made."""

    def __init__(self, seed: int, consumers: int, days: int, interval_minutes: int, first_day, recipe: Recipe):
        if days < 60 or consumers < 1 or 1440 % interval_minutes:
            raise ValueError("a city needs a consumer, 60 days, and an interval that divides the day")
        self.seed, self.days, self.recipe = seed, days, recipe
        self.interval_minutes, self.slots = interval_minutes, 1440 // interval_minutes
        self.first_day = np.datetime64(first_day, "D")
        rng = np.random.default_rng([seed, 0])
        self.ground = lay_out(rng, consumers)
        self.kinds = rng.choice([HOUSEHOLD, SHOP, INDUSTRY], consumers, p=[0.9, 0.085, 0.015])
        self.climate = make_climate(rng, self.first_day, days)
        calendar = self.first_day + np.arange(days)
        self.free, self.holidays = self.climate.weekend | public_holidays(calendar), school_holidays(calendar)
        self.plan = _plan(rng, self.kinds, self.ground, days, recipe)
        self.contracts = history.contracts(rng, self.plan.change, self.plan.onset, self.first_day)
        self.ahead = slots_ahead(self.first_day, days, interval_minutes, TIMEZONE, UTC_OFFSET_MINUTES)
        self.consumers = [
            Consumer(
                number=f"C-{row + 1:06d}",
                name=name,
                address=self.ground.consumer_address[row],
                kind=str(self.kinds[row]),
                zone=self.ground.transformers[self.ground.consumer_transformer[row]].zone,
                transformer=int(self.ground.consumer_transformer[row]),
                place=tuple(np.round(self.ground.consumer_place[row], 6).tolist()),
            )
            for row, name in enumerate(history.names(rng, self.kinds))
        ]

    def blocks(self) -> Iterator[Block]:
        for first in range(0, len(self.ground.transformers), TRANSFORMERS_PER_BLOCK):
            last = min(first + TRANSFORMERS_PER_BLOCK, len(self.ground.transformers))
            inside = (self.ground.consumer_transformer >= first) & (self.ground.consumer_transformer < last)
            rows = np.flatnonzero(inside)
            yield self._block(first, last, slice(int(rows[0]), int(rows[-1]) + 1))

    def _block(self, first: int, last: int, rows: slice) -> Block:
        rng = np.random.default_rng([self.seed, 1, first])
        plan, transformer_of = self.plan.take(rows), self.ground.consumer_transformer[rows] - first
        used = make_loads(rng, self.kinds[rows], self.slots, self.climate, self.free, self.holidays)
        self._spikes(rng, used)
        measured = used.copy()
        for row in np.flatnonzero(plan.change != ""):
            _apply(rng, plan, row, used, measured, self.kinds[rows], self.climate)
        missing_kwh = np.clip(used - measured, 0, None).sum((1, 2))
        used, measured = from_civil_days(used, self.ahead), from_civil_days(measured, self.ahead)
        events, dark = history.power_cuts(rng, transformer_of, rows.start, self.first_day, used.shape)
        used[dark], measured[dark] = 0, 0
        sums = _sum_meters(rng, used, transformer_of, self.recipe.faulty)
        del used
        events += history.tamper_events(rng, plan, rows.start, self.first_day, self.days)
        measured[history.gaps(rng, measured.shape)] = np.nan
        ours = [paper for paper in self.contracts if rows.start <= paper.consumer < rows.stop]
        return Block(
            first_day=self.first_day,
            interval_minutes=self.interval_minutes,
            consumers=self.consumers[rows],
            first_transformer=first,
            transformers=self.ground.transformers[first:last],
            kwh=np.round(measured, GRAIN, out=measured),
            transformer_kwh=sums,
            contract_active=_active(ours, rows.stop, self.first_day, self.days)[rows],
            events=events,
            truth=Truth(
                kind=plan.kind,
                formula=np.where(plan.steals | plan.past, plan.change, ""),
                look_alike=np.where(plan.steals | plan.past, "", plan.change),
                onset_day=np.where(plan.change != "", self.first_day + plan.onset, np.datetime64("NaT")),
                past_theft=plan.past,
                missing_kwh=np.where(plan.steals | plan.past, missing_kwh, 0.0),
            ),
        )

    def _spikes(self, rng: np.random.Generator, used: np.ndarray) -> None:
        """In place: guests, tools, a heater in the garden; days of peaks that mean nothing."""
        if not self.recipe.natural_spikes:
            return
        for row in np.flatnonzero(rng.random(len(used)) < self.recipe.natural_spikes):
            days = rng.choice(self.days, int(rng.integers(1, max(2, self.days // 30))), replace=False)
            slot = int(rng.integers(self.slots))
            until = slot + max(1, int(rng.uniform(1, 6) * self.slots / 24))
            used[row, days, slot:until] += np.float32(rng.uniform(3, 10) * used[row].mean())


def _plan(rng: np.random.Generator, kinds: np.ndarray, ground: Geography, days: int, recipe: Recipe) -> Plan:
    """Who changes, how, and when; an empty change is an ordinary consumer."""
    consumers = len(kinds)
    rate = _theft_rates(rng, ground) if recipe.clustered else np.ones(len(ground.transformers))
    weight = rate[ground.consumer_transformer]
    count, past_count = round(recipe.thieves * consumers), round(recipe.past_thieves * consumers)
    cheats = rng.choice(consumers, count + past_count, replace=False, p=weight / weight.sum())
    thieves, past = cheats[:count], cheats[count:]
    others = rng.permutation(np.setdiff1d(np.arange(consumers), cheats))
    honest = others[: round(recipe.look_alikes * consumers)]
    behind = _ORIGINAL_KINDS if recipe.original else _KINDS
    kind, change_of = np.full(consumers, "", "U26"), np.full(consumers, "", "U26")
    kind[thieves] = rng.choice(list(behind), len(thieves), p=[share for share, _names in behind.values()])
    past_kind = rng.choice(["zero_consumption", "gradual_decline", "neighbourhood_deviation"], len(past))
    for rows, kinds_of_theft in ((thieves, kind[thieves]), (past, past_kind)):
        change_of[rows] = [behind[name][1][rng.integers(len(behind[name][1]))] for name in kinds_of_theft]
    for row in honest:
        names = _AT_HOMES if kinds[row] == HOUSEHOLD else _AT_SHOPS
        change_of[row] = names[rng.integers(len(names))]
    onset, end = rng.integers(int(0.2 * days), days - 12, consumers), np.full(consumers, days)
    onset[thieves[rng.random(len(thieves)) < 0.05]] = 0  # older than the window: no curve shows these
    onset[past] = rng.integers(0, int(0.75 * days), len(past))
    end[past] = np.minimum(onset[past] + rng.integers(15, 60, len(past)), days - 8)
    is_past = np.zeros(consumers, bool)
    is_past[past] = True
    return Plan(kind=kind, change=change_of, onset=onset, end=end, past=is_past)


def _theft_rates(rng: np.random.Generator, ground: Geography) -> np.ndarray:
    """(transformers,) how often theft happens there beside elsewhere: word goes round along a feeder."""
    zone_of = np.array([transformer.zone for transformer in ground.transformers])
    rate = np.where(np.isin(zone_of, rng.choice(len(ground.zones), 2, replace=False)), 1.8, 1.0)
    for centre in rng.choice(len(zone_of), max(1, len(zone_of) // 20), replace=False):
        near = np.abs(np.arange(len(zone_of)) - centre) <= rng.integers(0, 3)
        rate[near & (zone_of == zone_of[centre])] = 4.5
    return rate


def _apply(rng, plan: Plan, row: int, used, measured, kinds: np.ndarray, climate: Climate) -> None:
    """Change one consumer's days from its onset to its end, in place."""
    name, onset = str(plan.change[row]), plan.onset[row]
    during = slice(onset, plan.end[row])
    alike = np.flatnonzero(kinds == kinds[row])
    home = Home(
        kwh=used[row, during].copy(),
        before=used[row, max(0, onset - 28) : onset] if onset else used[row, :28].copy(),
        weekday=climate.weekday[during],
        cold=climate.cold[during],
        sun=climate.sunshine[during],
        another=used[alike[rng.integers(len(alike))], during],
    )
    if name in LOOK_ALIKES:
        used[row, during] = from_some_hour_on(rng, home, change(name, home, rng), at_once=onset == 0)
        measured[row, during] = used[row, during]
        return
    after = steal(name, home, rng) if name in ATTACKS else (MISUSE | ORIGINAL)[name](home, rng)
    measured[row, during] = from_some_hour_on(rng, home, after, at_once=onset == 0)
    if name not in ATTACKS:  # what rises is really used, what falls is taken past the meter
        used[row, during] = np.maximum(home.kwh, measured[row, during])


def _sum_meters(rng: np.random.Generator, used: np.ndarray, listed: np.ndarray, faulty: float) -> np.ndarray:
    """(T, D, S) as the sum meters register what their consumers use and what is lost on the way: 3 to 5 %.

    With faults, some consumers hang on another transformer than the one they are filed under.
    """
    count = int(listed.max()) + 1
    faults = [draw_fault(rng, used.shape[2], faulty) for _ in range(count)]
    fed_by = listed.copy()
    for one, fault in enumerate(faults):
        own, others = np.flatnonzero(listed == one), np.flatnonzero(listed != one)
        fed_by[rng.choice(own, min(fault.foreign, len(own) - 1), replace=False)] = (
            (one + 1) % count if count > 1 else -1
        )
        fed_by[rng.choice(others, min(fault.unlisted, len(others)), replace=False)] = one
    sums = np.empty((count, *used.shape[1:]), np.float32)
    for one, fault in enumerate(faults):
        delivered = used[fed_by == one].sum(0)
        delivered = delivered + technical_loss(delivered, rng.uniform(0.03, 0.05))
        noise = 1 + np.float32(fault.noise) * rng.standard_normal(delivered.shape, dtype=np.float32)
        sums[one] = np.round(delayed(delivered, fault.lag) * noise * np.float32(fault.gain), GRAIN)
    return sums


def _active(contracts: list[Contract], consumers: int, first_day: np.datetime64, days: int) -> np.ndarray:
    """(consumers, D) bool: the days on which a contract runs."""
    active = np.zeros((consumers, days), bool)
    calendar = first_day + np.arange(days)
    for contract in contracts:
        until = contract.until_day or calendar[-1] + 1
        active[contract.consumer] |= (calendar >= np.datetime64(contract.from_day)) & (calendar < until)
    return active
