"""Theft and honest changes laid over curves that a utility has: cases with a known truth to train detectors on.

The readings of a window count as what was consumed. Each meter is drawn several times: as it is, under an attack, or
with an honest change. Everything about a case follows from the seed, the meter's name and the number of the draw, so
neither the order of the meters nor the kinds that others may have change it.
"""

import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from ml.calendar import from_civil_days, to_civil_days
from ml.evidence import Evidence, Neighbourhood, fill_gaps
from ml.synthetic.attacks import ATTACKS, FAMILIES, FAMILY, IDENTITY, KEEPS_TOTAL, SLOW, steal
from ml.synthetic.faults import (
    BalanceFault,
    as_registered,
    delayed,
    draw_fault,
    draw_gaps,
    register_steps,
    technical_loss,
)
from ml.synthetic.home import Home, from_some_hour_on
from ml.synthetic.look_alikes import LOOK_ALIKES, change
from ml.synthetic.weather import Climate, make_climate
from ml.window import MeterWindow

UNTOUCHED = "untouched"
ATTACK_SHARE, LOOK_ALIKE_SHARE, BEFORE_SHARE, IDENTITY_SHARE = 0.42, 0.30, 0.03, 0.02
"""Of all cases; those that began before the window are thefts too. The rest are untouched."""
EVERYDAY_THEFT, EVERYDAY_CHANGE = 0.05, 0.15
GAP_SHARE, HEAVY_GAP_SHARE = 0.20, 0.03
"""Of all cases, whatever happened to them: a gap must never say which kind a case is."""
LEAST_CHANGED = 0.015
"""An attack that moves a smaller part of the consumption than this is left out: there is nothing to find."""
LEAST_USED = 0.2
"""So is one on a home that really uses less than this share of what it used before."""
LEAST_DAYS = 21
LEAST_MEMBERS = 5
"""Of a transformer for which a sum meter is made up."""
DRAWS_PER_ROUND = 5
READINGS_PER_BLOCK = 12_000_000
METERS_PER_PASS = 256
SOUTH = ("Australia/", "Antarctica/", "Pacific/Auckland", "America/Sao_Paulo", "America/Argentina", "Africa/Johannes")

KINDS = (*sorted(set(ATTACKS) - {IDENTITY}), *sorted(LOOK_ALIKES))
_WEIGHT = np.array([len(FAMILIES[FAMILY[kind]]) ** -0.5 if kind in FAMILY else 1.0 for kind in KINDS])
"""Look-alikes alike, and families nearly so: those of many kinds, such as the bypass, more than those of one."""
_IS_ATTACK = np.array([kind in FAMILY for kind in KINDS])


@dataclass(frozen=True, eq=False)
class Cases:
    """N cases and their truth."""

    evidence: Evidence
    kind: np.ndarray
    """(N,) str: untouched, identity, or the name of an attack or a look-alike."""
    theft: np.ndarray
    """(N,) bool; the identity is none, it takes nothing."""
    family: np.ndarray
    """(N,) str of the attack, empty for the honest."""
    onset: np.ndarray
    """(N,) int civil day of the window, -1 untouched; 0 with theft: began before the window."""
    household: np.ndarray
    """(N,) int row of the window that the curve belongs to."""
    missing_kwh: np.ndarray
    """(N,) float consumed and not registered since the onset; 0 for the honest and where only the hours are wrong."""

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, rows: np.ndarray) -> "Cases":
        """Some of the cases, by index, slice or mask."""
        return Cases(**{field.name: _rows_of(getattr(self, field.name), rows) for field in fields(self)})

    @staticmethod
    def concatenate(parts: "list[Cases]") -> "Cases":
        """All of them as one. Raises ValueError without any, or where their days or slots differ."""
        if not parts:
            raise ValueError("no cases to concatenate")
        first = parts[0].evidence
        if any(one.evidence.kwh.shape[1:] != first.kwh.shape[1:] for one in parts):
            raise ValueError("cases of different days or slots cannot be one")

        def joined(arrays):
            return None if any(array is None for array in arrays) else np.concatenate(arrays)

        names = ("kwh", "reference", "peer_level", "reported", "measured", "filled")
        evidence = replace(first, **{name: joined([getattr(one.evidence, name) for one in parts]) for name in names})
        truth = [field.name for field in fields(Cases) if field.name != "evidence"]
        return Cases(evidence, **{name: joined([getattr(one, name) for one in parts]) for name in truth})


def _rows_of(value, rows):
    return value.take(rows) if isinstance(value, Evidence) else value[rows]


@dataclass(frozen=True)
class Options:
    """What is drawn, and how often."""

    attacks: Collection[str]
    look_alikes: Collection[str]
    everyday: bool
    make_sums: bool
    faulty: float


def draw_cases(
    window: MeterWindow,
    seed: int,
    per_meter: int = 20,
    *,
    attacks: Collection[str] | None = None,
    look_alikes: Collection[str] | None = None,
    days: Collection[int] | None = None,
    everyday: bool = True,
    make_sums: bool = False,
    faulty: float = 0.5,
) -> Iterator[Cases]:
    """Each meter of the window `per_meter` times, in blocks of bounded memory; the days of a block are the same.

    `attacks` and `look_alikes` name those that may be drawn (all of them). `days` lists lengths to cut the window to,
    one of them at random for every few draws. With `everyday`, the neighbours steal and change their habits too, as
    neighbours do. `make_sums` makes up sum meters where the window has none and its peer groups are transformers.
    `faulty` is the chance that a transformer's balance has faults. Attacks that would change next to nothing are left
    out, and meters without enough readings. Raises ValueError on fewer than 28 days or a kind that is not known.
    """
    if window.days < 28:
        raise ValueError(f"cases need 28 days of readings, not {window.days}")
    attacks, look_alikes = _known(attacks, set(ATTACKS) - {IDENTITY}), _known(look_alikes, set(LOOK_ALIKES))
    if window.slots == 1:
        attacks = attacks - KEEPS_TOTAL
    options = Options(attacks, look_alikes, everyday, make_sums, faulty)
    lengths = sorted(length for length in days or () if 28 <= length <= window.days)
    for number, first in enumerate(range(0, per_meter, DRAWS_PER_ROUND)):
        part = _cut(window, lengths, np.random.default_rng([seed, number]))
        draws = range(first, min(first + DRAWS_PER_ROUND, per_meter))
        yield from _Round(part, seed, number, options).cases(draws)


def _known(names: Collection[str] | None, all_names: set[str]) -> set[str]:
    if names is None:
        return all_names
    if unknown := set(names) - all_names:
        raise ValueError(f"not known: {', '.join(sorted(unknown))}")
    return set(names)


def _cut(window: MeterWindow, lengths: list[int], rng: np.random.Generator) -> MeterWindow:
    if not lengths:
        return window
    length = int(rng.choice(lengths))
    start = int(rng.integers(0, window.days - length + 1))
    during = slice(start, start + length)
    return replace(
        window,
        kwh=window.kwh[:, during],
        contract_active=window.contract_active[:, during],
        first_day=window.first_day + start,
        sums=None if window.sums is None else window.sums[:, during],
    )


class _Round:
    """A few draws of all meters of one window, with the same neighbours around them."""

    def __init__(self, window: MeterWindow, seed: int, number: int, options: Options):
        self.window, self.seed, self.number, self.options = window, seed, number, options
        self.names = np.array([zlib.crc32(name.encode()) for name in window.meters], np.uint32)
        self.by_name = np.argsort(window.meters, kind="stable")
        self.steps = register_steps(window.kwh)
        bare = replace(window, sums=None, sum_row=None)
        self.plain = Neighbourhood(bare)
        self.has_data = self._with_enough_data()
        self.usable = self.by_name[self.has_data[self.by_name]]
        self.filled = np.empty_like(window.kwh)
        """(M, D, S) civil days with the gaps filled; days without a contract as they were read, for the balance."""
        for start in range(0, len(window), METERS_PER_PASS):
            rows = slice(start, start + METERS_PER_PASS)
            self.filled[rows] = fill_gaps(to_civil_days(window.kwh[rows], self.plain.ahead))
        self.climates: dict[int, Climate] = {}
        self.consumed_otherwise: dict[int, np.ndarray] = {}
        self.reported_otherwise: dict[int, np.ndarray] = {}
        self.unread_otherwise: dict[int, np.ndarray] = {}
        self.around = Neighbourhood(replace(bare, kwh=self._everyday())) if options.everyday else self.plain
        self.balance = self._balance()

    def cases(self, draws: range) -> Iterator[Cases]:
        size = max(1, READINGS_PER_BLOCK // (self.window.days * self.window.slots * len(draws)))
        for start in range(0, len(self.window), size):
            rows = np.arange(start, min(start + size, len(self.window)))
            rows = rows[self.has_data[rows]]
            if len(rows):
                yield from self._block(rows, draws)

    def _block(self, rows: np.ndarray, draws: range) -> Iterator[Cases]:
        seen = self.plain.evidence(rows)
        drawn = []
        for place, row in enumerate(rows):
            curve = self._curve(int(row), seen.kwh[place], seen.reference[place])
            drawn += [(place, one) for draw in draws if (one := self._case(int(row), draw, curve)) is not None]
        if not drawn:
            return
        place = np.array([where for where, _one in drawn])
        cases = [one for _where, one in drawn]
        evidence = replace(seen.take(place), kwh=np.stack([one.kwh for one in cases]))
        evidence = replace(evidence, peer_level=self.around.peer_level[rows[place]])
        for number, one in enumerate(cases):
            if one.dark is not None:
                evidence.peer_level[number] *= 1 - one.dark.mean(1) * 0.999
        if self.balance is not None:
            evidence = self.balance.beside(evidence, rows[place], cases)
        yield Cases(
            evidence=evidence,
            kind=np.array([one.kind for one in cases]),
            theft=np.array([one.kind in FAMILY for one in cases]),
            family=np.array([FAMILY.get(one.kind, "") for one in cases]),
            onset=np.array([one.onset for one in cases]),
            household=rows[place],
            missing_kwh=np.array([one.missing_kwh for one in cases]),
        )

    def _curve(self, row: int, kwh: np.ndarray, reference: np.ndarray) -> "_Curve":
        return _Curve(self.filled[row], np.isnan(kwh), self.unread(row), reference)

    def unread(self, row: int) -> np.ndarray:
        """(D, S) bool: where the meter sent no reading."""
        return ~(to_civil_days(self.window.kwh[row : row + 1], self.plain.ahead)[0] >= 0)

    def rng(self, row: int, *what: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.names[row], self.number, *what])

    # ------------------------------------------------------------------------------------------------- one case

    def _case(self, row: int, draw: int, curve: "_Curve") -> "_Case | None":
        rng = self.rng(row, draw)
        state, gap, timing = rng.random(3)
        keys = rng.exponential(size=len(KINDS)) / _WEIGHT
        if state < ATTACK_SHARE + BEFORE_SHARE:
            kind = self._pick(keys, self.options.attacks, _IS_ATTACK)
        elif state < ATTACK_SHARE + BEFORE_SHARE + LOOK_ALIKE_SHARE:
            kind = self._pick(keys, self.options.look_alikes, ~_IS_ATTACK)
        elif state < ATTACK_SHARE + BEFORE_SHARE + LOOK_ALIKE_SHARE + IDENTITY_SHARE:
            kind = IDENTITY
        else:
            kind = UNTOUCHED
        before = ATTACK_SHARE <= state < ATTACK_SHARE + BEFORE_SHARE
        one = self._changed(row, draw, curve, kind, 0 if before else self._onset(rng, timing, kind, curve))
        if one is None:
            return None
        missing, unread = curve.missing, curve.unread
        if gap < GAP_SHARE + HEAVY_GAP_SHARE:
            gaps = draw_gaps(self.rng(row, draw, 1), *missing.shape, heavy=gap < HEAVY_GAP_SHARE)
            missing, unread = missing | gaps, unread | gaps
        one.kwh = np.where(missing, np.float32(np.nan), one.registered)
        if self.balance is not None:
            one.reported = _reported(one.registered, unread)
        return one

    def _pick(self, keys: np.ndarray, allowed: Collection[str], group: np.ndarray) -> str:
        """The allowed kind with the smallest key: with fewer allowed, those that remain keep their draws."""
        for at in np.argsort(np.where(group, keys, np.inf)):
            if KINDS[at] in allowed:
                return KINDS[at]
            if not group[at]:
                break
        return UNTOUCHED

    def _onset(self, rng: np.random.Generator, timing: float, kind: str, curve: "_Curve") -> int:
        """Mostly between the reference and the last week; some inside the reference, some only days ago."""
        if kind == UNTOUCHED:
            return -1
        first, reference_end, last = curve.first, curve.reference_end, curve.last
        left = 21 if kind in SLOW else 7
        if timing < 0.08:
            return int(rng.integers(first + 4, reference_end))
        if timing < 0.18 and kind not in SLOW:
            return int(last + 1 - rng.integers(3, 8))
        latest = max(last + 1 - left, min(reference_end, last - 6))
        return int(rng.integers(min(reference_end, latest), latest + 1))

    def _changed(self, row: int, draw: int, curve: "_Curve", kind: str, onset: int) -> "_Case | None":
        """What is consumed and registered under that kind; None where an attack would change next to nothing."""
        consumed = registered = curve.kwh
        if kind != UNTOUCHED:
            rng = self.rng(row, draw, zlib.crc32(kind.encode()))
            home = self._home(rng, draw, curve, onset)
            steals = kind in ATTACKS
            after = (steal if steals else change)(kind, home, rng)
            after = from_some_hour_on(rng, home, after, at_once=onset == 0 or kind == "outage")
            registered = np.concatenate([curve.kwh[:onset], after])
            if not steals:
                consumed = registered
            elif kind != IDENTITY and not _takes_something(home, after):
                return None
        registered = as_registered(registered, self.steps[row])
        missing_kwh = 0.0
        if kind in FAMILY and kind not in KEEPS_TOTAL:
            missing_kwh = float((consumed[onset:] - registered[onset:]).sum())
        dark = None
        if kind == "outage":
            dark = (consumed == 0) & (curve.kwh > 0)
        return _Case(kind, onset, consumed, registered, draw, missing_kwh, dark)

    def _home(self, rng: np.random.Generator, draw: int, curve: "_Curve", onset: int) -> Home:
        climate = self._climate(draw)
        before = curve.kwh[max(0, onset - 28) : onset] if onset else curve.kwh[-28:]
        return Home(
            kwh=curve.kwh[onset:],
            before=before,
            weekday=climate.weekday[onset:],
            cold=climate.cold[onset:],
            sun=climate.sunshine[onset:],
            another=self._another(rng)[onset:],
        )

    def _another(self, rng: np.random.Generator) -> np.ndarray:
        """(D, S) of some consumer, its gaps filled."""
        return self.filled[self.usable[rng.integers(len(self.usable))]]

    def _climate(self, draw: int) -> Climate:
        if draw not in self.climates:
            southern = self.window.timezone.startswith(SOUTH)
            rng = np.random.default_rng([self.seed, self.number, draw])
            self.climates[draw] = make_climate(rng, self.window.first_day, self.window.days, southern)
        return self.climates[draw]

    def _with_enough_data(self) -> np.ndarray:
        """(M,) bool: three weeks between the first and the last reading, half of them there, something used."""
        there = self.window.kwh >= 0
        there &= self.window.contract_active[:, :, None]
        days = there.mean(2) >= 0.5
        first, last = days.argmax(1), self.window.days - 1 - days[:, ::-1].argmax(1)
        span = last - first + 1
        used = np.where(there, self.window.kwh, 0).sum((1, 2)) > 0
        return days.any(1) & (span >= LEAST_DAYS) & (days.sum(1) >= 0.5 * span) & used

    # ------------------------------------------------------------------------------------------- the others

    def _everyday(self) -> np.ndarray:
        """(M, D, S) as the window's, with everybody in an everyday state; remembers who differs from the window."""
        kwh = self.window.kwh.copy()
        for row in np.flatnonzero(self.has_data).tolist():
            rng = self.rng(row, 10_000)
            state, gap = rng.random(2)
            changes, has_gaps = state < EVERYDAY_THEFT + EVERYDAY_CHANGE, gap < GAP_SHARE + HEAVY_GAP_SHARE
            if not changes and not has_gaps:
                continue
            seen = self.plain.evidence(slice(row, row + 1))
            curve = self._curve(row, seen.kwh[0], seen.reference[0])
            one = self._everyday_state(row, rng, curve, steals=state < EVERYDAY_THEFT) if changes else None
            registered, unread = curve.kwh if one is None else one.registered, curve.unread
            if has_gaps:
                unread = unread | draw_gaps(self.rng(row, 10_001), *unread.shape, heavy=gap < HEAVY_GAP_SHARE)
                self.unread_otherwise[row] = unread
            stored = np.where(unread, np.float32(np.nan), registered)
            kwh[row] = np.where(np.isnan(kwh[row]), kwh[row], from_civil_days(stored[None], self.plain.ahead)[0])
            self.reported_otherwise[row] = _reported(registered, unread)
            if one is not None and one.consumed is not curve.kwh:
                self.consumed_otherwise[row] = one.consumed
        return kwh

    def _everyday_state(self, row: int, rng: np.random.Generator, curve: "_Curve", steals: bool) -> "_Case | None":
        keys = rng.exponential(size=len(KINDS)) / _WEIGHT
        allowed = self.options.attacks if steals else set(self.options.look_alikes) - {"outage"}
        kind = self._pick(keys, allowed, _IS_ATTACK if steals else ~_IS_ATTACK)
        return self._changed(row, 10_000, curve, kind, self._onset(rng, rng.random(), kind, curve))

    def _balance(self) -> "_Balance | None":
        window = self.window
        if window.sums is not None:
            return _Balance(self, window.sum_row, to_civil_days(window.sums, self.plain.ahead))
        if not self.options.make_sums:
            return None
        groups, row_of, members = np.unique(window.peer_group, return_inverse=True, return_counts=True)
        row_of = np.where((groups[row_of] >= 0) & (members[row_of] >= LEAST_MEMBERS), row_of, -1)
        return _Balance(self, row_of, None)


@dataclass(frozen=True, eq=False)
class _Curve:
    """One meter's civil days."""

    kwh: np.ndarray
    """(D, S) with the gaps filled."""
    missing: np.ndarray
    """(D, S) bool: without a reading, or without a contract."""
    unread: np.ndarray
    """(D, S) bool: without a reading."""
    reference: np.ndarray

    @property
    def first(self) -> int:
        return int(self.reference.argmax())

    @property
    def reference_end(self) -> int:
        return int(len(self.reference) - self.reference[::-1].argmax())

    @property
    def last(self) -> int:
        return int(np.flatnonzero(~self.missing.all(1))[-1])


@dataclass(eq=False)
class _Case:
    kind: str
    onset: int
    consumed: np.ndarray
    registered: np.ndarray
    draw: int
    missing_kwh: float
    dark: np.ndarray | None
    """(D, S) bool: slots without supply, for the neighbours too."""
    kwh: np.ndarray | None = None
    """(D, S) as registered, with the gaps."""
    reported: np.ndarray | None = None
    """(D, S) as registered, gaps filled, as a sum over meters takes it."""


def _reported(registered: np.ndarray, unread: np.ndarray) -> np.ndarray:
    return fill_gaps(np.where(unread, np.float32(np.nan), registered)[None])[0]


def _takes_something(home: Home, after: np.ndarray) -> bool:
    used = float(home.kwh.sum())
    moved = float(np.abs(home.kwh - after).sum())
    return moved > LEAST_CHANGED * used and used > LEAST_USED * home.usual * home.kwh.size


class _Balance:
    """What transformers deliver and what their meters report, with each case in its own household's place."""

    def __init__(self, around: _Round, row_of: np.ndarray, measured: np.ndarray | None):
        """`measured` is (T, D, S) of real sum meters; without it, sums are made up from what everybody consumes."""
        self.round, self.row_of = around, row_of
        count = int(row_of.max(initial=-1)) + 1 if measured is None else len(measured)
        shape = (count, around.window.days, around.window.slots)
        self.reported, self.filled = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        used = np.zeros(shape, np.float32)
        self.members = [np.flatnonzero(row_of == one) for one in range(count)]
        rng = np.random.default_rng([around.seed, around.number, 7])
        self.loss = rng.uniform(0.03, 0.05, count)
        self.gain = np.array([1 + 0.005 * around.rng(row, 20_000).standard_normal() for row in range(len(row_of))])
        for one, rows in enumerate(self.members):
            if len(rows):
                self.reported[one] = sum(self.reported_by(row) for row in rows.tolist())
                self.filled[one] = sum(self.unread_of(row) for row in rows.tolist())
                used[one] = sum(
                    self.consumed(row) if measured is None else self._otherwise(row) for row in rows.tolist()
                )
        if measured is None:
            self.measured = used + technical_loss(used, self.loss[:, None, None]).astype(np.float32)
        else:
            self.measured = measured + used * np.float32(1.04)

    def reported_by(self, row: int) -> np.ndarray:
        """(D, S) that a household's meter reports in its everyday state, gaps filled."""
        return self.round.reported_otherwise.get(row, self.round.filled[row])

    def unread_of(self, row: int) -> np.ndarray:
        """(D, S) bool: where its everyday state has gaps."""
        otherwise = self.round.unread_otherwise.get(row)
        return self.round.unread(row) if otherwise is None else otherwise

    def consumed(self, row: int) -> np.ndarray:
        """(D, S) that a household really draws in its everyday state."""
        consumed = self.round.consumed_otherwise.get(row, self.round.filled[row])
        return consumed * np.float32(self.gain[row])

    def _otherwise(self, row: int) -> np.ndarray | float:
        """(D, S) by how much that differs from the real window; 0 where it does not."""
        if row not in self.round.consumed_otherwise:
            return 0.0
        return self.consumed(row) - self.round.filled[row] * np.float32(self.gain[row])

    def beside(self, evidence: Evidence, rows: np.ndarray, cases: list[_Case]) -> Evidence:
        """The evidence with each case's own sums beside it; NaN where no sum meter delivers."""
        reported, measured, filled = (np.full(evidence.kwh.shape, np.nan, np.float32) for _ in range(3))
        faulty: dict[tuple[int, int], tuple[BalanceFault, np.ndarray, np.ndarray]] = {}
        own_row, own_reported, own_consumed, filled_by_others = -1, None, None, None
        for number, (row, one) in enumerate(zip(rows.tolist(), cases, strict=True)):
            at = int(self.row_of[row])
            if at < 0:
                continue
            if row != own_row:
                own_row, own_consumed, own_reported = row, self.consumed(row), self.reported_by(row)
                filled_by_others = self.filled[at] - self.unread_of(row)
            key = (at, one.draw)
            if key not in faulty:
                faulty[key] = self._faulty(at, one.draw)
            fault, delivered, elsewhere = faulty[key]
            reported[number] = self.reported[at] - own_reported + one.reported
            measured[number] = delivered
            filled[number] = filled_by_others
            if row not in elsewhere:
                more = one.consumed * np.float32(self.gain[row]) - own_consumed
                measured[number] += delayed(more, fault.lag) * np.float32(fault.gain * (1 + self.loss[at]))
            if one.dark is not None:
                reported[number][one.dark] = one.reported[one.dark]
                measured[number][one.dark] = 0
        np.clip(measured, 0, None, out=measured)
        np.clip(reported, 0, None, out=reported)
        return replace(evidence, reported=reported, measured=measured, filled=filled)

    def _faulty(self, at: int, draw: int) -> tuple[BalanceFault, np.ndarray, np.ndarray]:
        """A transformer's fault in that draw, what its sum meter then measures, and the members it does not feed."""
        names = self.round.window.meters[self.members[at]]
        rng = np.random.default_rng(
            [self.round.seed, zlib.crc32("|".join(sorted(names)).encode()), self.round.number, draw]
        )
        fault = draw_fault(rng, self.round.window.slots, self.round.options.faulty)
        delivered = self.measured[at].copy()
        ordered = self.members[at][np.argsort(names, kind="stable")]
        elsewhere = rng.choice(ordered, min(fault.foreign, len(ordered) - 1), replace=False)
        others = self.round.by_name[self.row_of[self.round.by_name] != at]
        unlisted = rng.choice(others, min(fault.unlisted, len(others)), replace=False)
        for row in elsewhere.tolist():
            delivered -= self.consumed(row) * np.float32(1 + self.loss[at])
        for row in unlisted.tolist():
            delivered += self.consumed(row) * np.float32(1 + self.loss[at])
        noise = 1 + np.float32(fault.noise) * rng.standard_normal(delivered.shape, dtype=np.float32)
        return fault, delayed(delivered, fault.lag) * noise * np.float32(fault.gain), elsewhere
