"""A whole made-up city: places, contracts, meters, what they registered, who cheats, and what crews found so far.

What is known to be too kind: theft, look-alikes and detectors have one author, habits are smooth mixtures, and the map
of who hangs on which transformer has no errors. Figures from here flatter: they compare detectors and promise nothing.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ml.calendar import from_civil_days, slots_ahead
from ml.synthetic import history
from ml.synthetic.geography import CITY, Feeder, Point, Transformer, Zone, lay_out
from ml.synthetic.history import Contract, Inspection, Meter, MeterEvent
from ml.synthetic.home import Home
from ml.synthetic.load import HOUSEHOLD, INDUSTRY, SHOP, make_habits, make_loads
from ml.synthetic.look_alikes import LOOK_ALIKES, change
from ml.synthetic.theft import FORMULAS, SHARES
from ml.synthetic.weather import Climate, make_climate
from ml.window import MeterWindow

TIMEZONE = "Europe/London"
UTC_OFFSET_MINUTES = 0
THIEVES, LOOK_ALIKE_SHARE, PAST_THIEVES = 0.05, 0.15, 0.018


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
        active = np.zeros((len(self.consumers), self.days), bool)
        calendar = self.first_day + np.arange(self.days)
        for contract in self.contracts:
            until = contract.until_day or calendar[-1] + 1
            active[contract.consumer] |= (calendar >= np.datetime64(contract.from_day)) & (calendar < until)
        return active

    def window(self) -> MeterWindow:
        """One row per consumer (its number), a replaced meter's readings joined to its successor's."""
        kwh = self.kwh[: len(self.consumers)].copy()
        for row in range(len(self.consumers), len(self.meters)):
            owner = self.meters[row].consumer
            kwh[owner] = np.where(np.isnan(self.kwh[row]), kwh[owner], self.kwh[row])
        return MeterWindow(
            meters=np.array([consumer.number for consumer in self.consumers]),
            kwh=kwh,
            first_day=self.first_day,
            interval_minutes=self.interval_minutes,
            peer_group=np.array([consumer.transformer for consumer in self.consumers]),
            contract_active=self.contract_active,
            timezone=self.timezone,
            utc_offset_minutes=self.utc_offset_minutes,
        )


def generate_city(
    seed: int,
    consumers: int = 2000,
    days: int = 180,
    interval_minutes: int = 60,
    first_day: np.datetime64 | str = "2025-10-01",
) -> City:
    """The same arguments give the same city. Needs 60 days or more, so that thefts can begin, and end, inside them."""
    if days < 60 or consumers < 1 or 1440 % interval_minutes:
        raise ValueError("a city needs a consumer, 60 days, and an interval that divides the day")
    rng, first_day = np.random.default_rng(seed), np.datetime64(first_day, "D")
    ground = lay_out(rng, consumers)
    kinds = rng.choice([HOUSEHOLD, SHOP, INDUSTRY], consumers, p=[0.9, 0.085, 0.015])
    climate = make_climate(rng, first_day, days)
    used, usual = make_loads(rng, kinds, make_habits(rng, kinds, 1440 // interval_minutes), climate)
    measured = used.copy()
    plan = _plan(rng, consumers, days)
    for row in np.flatnonzero(plan.change != ""):
        _apply(rng, plan, row, used, measured, usual, climate)
    ahead = slots_ahead(first_day, days, interval_minutes, TIMEZONE, UTC_OFFSET_MINUTES)
    used, measured = from_civil_days(used, ahead), from_civil_days(measured, ahead)
    events, dark = history.power_cuts(rng, ground.consumer_transformer, first_day, measured.shape)
    used[dark], measured[dark] = 0, 0
    sums = _sum_meters(rng, used, ground.consumer_transformer)
    meters, kwh = history.hang_meters(rng, measured, first_day)
    events += history.tamper_events(rng, plan.steals, plan.onset, first_day, days)
    kwh[history.gaps(rng, kwh.shape)] = np.nan
    return City(
        name=CITY,
        seed=seed,
        first_day=first_day,
        interval_minutes=interval_minutes,
        timezone=TIMEZONE,
        utc_offset_minutes=UTC_OFFSET_MINUTES,
        zones=ground.zones,
        feeders=ground.feeders,
        transformers=ground.transformers,
        consumers=[
            Consumer(
                number=f"C-{row + 1:06d}",
                name=name,
                address=ground.consumer_address[row],
                kind=str(kinds[row]),
                zone=ground.transformers[ground.consumer_transformer[row]].zone,
                transformer=int(ground.consumer_transformer[row]),
                place=tuple(np.round(ground.consumer_place[row], 6).tolist()),
            )
            for row, name in enumerate(history.names(rng, kinds))
        ],
        contracts=history.contracts(rng, plan.change, plan.onset, first_day),
        meters=meters,
        kwh=np.round(kwh, 3, out=kwh),  # the register's grain: a finer one would betray what was computed
        transformer_kwh=sums,
        events=sorted(events, key=lambda event: event.at),
        inspections=history.inspections(rng, plan, first_day, days),
        truth=Truth(
            kind=plan.kind,
            formula=np.where(plan.steals | plan.past, plan.change, ""),
            look_alike=np.where(plan.steals | plan.past, "", plan.change),
            onset_day=np.where(plan.change != "", first_day + plan.onset, np.datetime64("NaT")),
            past_theft=plan.past,
        ),
    )


def _plan(rng: np.random.Generator, consumers: int, days: int) -> history.Plan:
    """Who changes, how, and when; an empty change is an ordinary consumer."""
    order = rng.permutation(consumers)
    marks = np.round(np.cumsum([THIEVES, LOOK_ALIKE_SHARE, PAST_THIEVES]) * consumers).astype(int)
    thieves, honest, past, _ = np.split(order, marks)
    kind, change = np.full(consumers, "", "U24"), np.full(consumers, "", "U24")
    kind[thieves] = rng.choice(list(SHARES), len(thieves), p=list(SHARES.values()))
    past_kind = rng.choice(["zero_consumption", "gradual_decline", "neighbourhood_deviation"], len(past))
    for rows, kinds in ((thieves, kind[thieves]), (past, past_kind)):
        change[rows] = [FORMULAS[name][rng.integers(len(FORMULAS[name]))].__name__.lstrip("_") for name in kinds]
    change[honest] = rng.choice(sorted(set(LOOK_ALIKES) - {"outage"}), len(honest))
    onset, end = rng.integers(int(0.2 * days), days - 12, consumers), np.full(consumers, days)
    onset[thieves[rng.random(len(thieves)) < 0.05]] = 0  # older than the window: no curve shows these
    onset[past] = rng.integers(0, int(0.75 * days), len(past))
    end[past] = np.minimum(onset[past] + rng.integers(15, 60, len(past)), days - 8)
    is_past = np.zeros(consumers, bool)
    is_past[past] = True
    return history.Plan(kind=kind, change=change, onset=onset, end=end, past=is_past)


def _apply(rng, plan: history.Plan, row: int, used, measured, usual, climate: Climate) -> None:
    """Change one consumer's days from its onset to its end, in place."""
    during = slice(plan.onset[row], plan.end[row])
    true = used[row, during]
    theft = {formula.__name__.lstrip("_"): formula for formulas in FORMULAS.values() for formula in formulas}
    if plan.change[row] in theft:
        used[row, during], measured[row, during] = theft[plan.change[row]](true, rng, usual[row])
    else:
        home = Home(
            kwh=true,
            before=used[row, max(0, plan.onset[row] - 28) : plan.onset[row]],
            weekday=climate.weekday[during],
            cold=climate.cold[during],
            sun=climate.sunshine[during],
            another=used[rng.integers(len(used)), during],
        )
        used[row, during] = change(str(plan.change[row]), home, rng)
        measured[row, during] = used[row, during]


def _sum_meters(rng: np.random.Generator, used: np.ndarray, transformer_of: np.ndarray) -> np.ndarray:
    """Delivered is used plus 3 to 5 % technical loss: a third of it always (iron), the rest with the load squared."""
    delivered = np.add.reduceat(used, np.flatnonzero(np.diff(transformer_of, prepend=-1)), axis=0)
    mean = delivered.mean(axis=(1, 2), keepdims=True)
    square = np.maximum((delivered**2).mean(axis=(1, 2), keepdims=True), 1e-9)
    share = rng.uniform(0.03, 0.05, mean.shape)
    loss = share * mean * (1 / 3 + 2 / 3 * delivered**2 / square)
    noise = 1 + rng.normal(0, 0.003, delivered.shape)
    return np.round((delivered + loss) * noise, 3).astype(np.float32)
