"""The papers of a made-up city: contracts, meters, events from meters, and visits made so far."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from ml.synthetic.attacks import FAMILIES
from ml.synthetic.load import HOUSEHOLD, INDUSTRY, SHOP

GIVEN = (
    *("Ada", "Alan", "Amir", "Anita", "Bela", "Carla", "Chen", "Clara", "Dario", "Edith", "Elias", "Emma", "Farid"),
    *("Grace", "Hana", "Hugo", "Ines", "Ivan", "Jonas", "Karin", "Leila", "Lena", "Liam", "Maya", "Milan", "Nadia"),
    *("Noah", "Olga", "Omar", "Paula", "Petra", "Ravi", "Rosa", "Samir", "Sofia", "Tariq", "Tomas", "Vera", "Yusuf"),
)
FAMILY = (
    *("Abbot", "Alvarez", "Baker", "Banerjee", "Becker", "Carter", "Castro", "Dawson", "Duran", "Ellis", "Fischer"),
    *("Foster", "Garcia", "Haddad", "Hughes", "Ivanov", "Jensen", "Kaya", "Keller", "Kovacs", "Lambert", "Lopez"),
    *("Mason", "Moreau", "Murphy", "Nowak", "Okafor", "Olsen", "Parker", "Patel", "Reyes", "Rossi", "Schmidt"),
    *("Singh", "Taylor", "Tanaka", "Varga", "Walker", "Weber", "Yilmaz"),
)
TRADES = {
    SHOP: ("Bakery", "Books", "Butchers", "Cafe", "Cycles", "Dry Cleaning", "Flowers", "Grocers", "Pharmacy", "Salon"),
    INDUSTRY: ("Castings", "Cold Storage", "Joinery", "Machining", "Packaging", "Plastics", "Printing", "Textiles"),
}
FINDS = {
    **dict.fromkeys(FAMILIES["reduce"], "bypass"),
    **dict.fromkeys(FAMILIES["intermittent"], "bypass"),
    **dict.fromkeys(FAMILIES["subtract"], "illegal_connection"),
    **dict.fromkeys(("heavy_load_past_meter", "heating_bypassed"), "illegal_connection"),
    **dict.fromkeys(("ramp_down_wavering", "neutral_tampered"), "meter_fault"),
    **dict.fromkeys(("magnet_some_hours", "hours_on_and_off"), "meter_tampering"),
}
"""Outcome by formula; every other formula is found as tampering."""

_MAGNETS = ("magnet_some_hours", "random_factor_slotwise", "hours_on_and_off")
_AT_TERMINALS = (*FAMILIES["reduce"], "neutral_tampered", "phase_bypassed_some_days", "bypassed_in_spells")
_INSIDE = (*FAMILIES["flat"], *FAMILIES["clip_peaks"], "scaled", "stopped", "meter_swapped", "days_on_and_off")
SIGNS: dict[str, tuple[tuple[str, ...], float, float]] = {
    "cover_opened": (_INSIDE, 0.4, 0.02),
    "terminal_cover_opened": (_AT_TERMINALS, 0.4, 0.012),
    "magnetic_field": (_MAGNETS, 0.6, 0.006),
    "reverse_rotation": (("constant_hidden_with_noise", "half_bypassed"), 0.15, 0.002),
    "clock_set": (("registered_late", "moved_to_the_night"), 0.6, 0.02),
}
"""Meter events (44, 40, 42 of the IDIS list, reverse rotation, 4 to 6): the formulas that cause them, how often those
do, and how often a meter sends one that means nothing."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Who changes, how and when; arrays with one entry per consumer, days counted from the first of the window."""

    kind: np.ndarray
    change: np.ndarray
    onset: np.ndarray
    end: np.ndarray
    past: np.ndarray

    @property
    def steals(self) -> np.ndarray:
        return self.kind != ""

    def take(self, rows: slice) -> "Plan":
        return Plan(self.kind[rows], self.change[rows], self.onset[rows], self.end[rows], self.past[rows])


@dataclass(frozen=True)
class Contract:
    consumer: int
    number: str
    from_day: date
    until_day: date | None
    """The first day without it; None while it runs."""


@dataclass(frozen=True)
class Meter:
    serial: str
    consumer: int
    from_day: date
    until_day: date | None
    """The first day on which another meter hangs in its place; None while it hangs."""


@dataclass(frozen=True)
class MeterEvent:
    meter: str
    at: datetime
    """Aware, UTC."""
    code: str
    """cover_opened, terminal_cover_opened, magnetic_field, reverse_rotation, clock_set or power_outage. Honest meters
    send them too."""


@dataclass(frozen=True)
class Inspection:
    consumer: int
    day: date
    outcome: str
    """bypass, meter_tampering, illegal_connection, meter_fault, legitimate_change, vacant, no_access, nothing_found."""


def names(rng: np.random.Generator, kinds: np.ndarray) -> list[str]:
    given, family, trade = (rng.integers(choice, size=len(kinds)) for choice in (len(GIVEN), len(FAMILY), 1000))
    return [
        f"{GIVEN[given[row]]} {FAMILY[family[row]]}"
        if kind == HOUSEHOLD
        else f"{FAMILY[family[row]]} {TRADES[kind][trade[row] % len(TRADES[kind])]}"
        for row, kind in enumerate(kinds)
    ]


def contracts(
    rng: np.random.Generator, change: np.ndarray, onset: np.ndarray, first_day: np.datetime64
) -> list[Contract]:
    """One each; a new tenant mostly signs anew, and who moves out mostly ends it, some of them late or never."""
    papers, moved_in = [], first_day - rng.integers(30, 3650, len(change))
    signs = rng.random(len(change))
    late = rng.integers(0, 20, len(change))
    for row, what in enumerate(change):
        number = f"K{500_000 + 2 * row}"
        if what == "new_tenant" and signs[row] < 0.7:
            papers.append(Contract(row, number, moved_in[row].item(), (first_day + onset[row]).item()))
            papers.append(Contract(row, f"K{500_001 + 2 * row}", (first_day + onset[row]).item(), None))
        elif what == "moved_out" and signs[row] < 0.85:
            papers.append(Contract(row, number, moved_in[row].item(), (first_day + onset[row] + late[row]).item()))
        else:
            papers.append(Contract(row, number, moved_in[row].item(), None))
    return papers


def hang_meters(
    rng: np.random.Generator, measured: np.ndarray, first_day: np.datetime64
) -> tuple[list[Meter], np.ndarray]:
    """A meter for each consumer and a second one for the one in a hundred whose meter was replaced."""
    rows, days, _ = measured.shape
    hung = (first_day - rng.integers(100, 3000, rows)).tolist()
    replaced = np.flatnonzero(rng.random(rows) < 0.01)
    on = rng.integers(5, days - 5, len(replaced))
    swapped = {int(row): (first_day + day).item() for row, day in zip(replaced, on, strict=True)}
    meters = [Meter(serial_of(row), row, hung[row], swapped.get(row)) for row in range(rows)]
    meters += [Meter(serial_of(rows + n), row, day, None) for n, (row, day) in enumerate(swapped.items())]
    kwh = np.concatenate([measured, measured[replaced]])
    for second, (row, day) in enumerate(zip(replaced, on, strict=True)):
        kwh[row, day:] = np.nan
        kwh[rows + second, :day] = np.nan
    return meters, kwh


def gaps(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """(meters, days, slots) bool, about 1 % missing: some hours of a day, or one to three days. Alike for everybody."""
    rows, days, slots = shape
    start = rng.random((rows, days)) < 0.0025
    length = rng.integers(1, 4, (rows, days))
    whole = start.copy()
    for more in (1, 2):
        whole[:, more:] |= start[:, :-more] & (length[:, :-more] > more)
    some = rng.random((rows, days)) < 0.02
    first, until = np.sort(rng.integers(0, slots + 1, (2, rows, days)), axis=0)
    slot = np.arange(slots)
    return whole[..., None] | (some[..., None] & (slot >= first[..., None]) & (slot < until[..., None]))


def power_cuts(
    rng: np.random.Generator,
    transformer_of: np.ndarray,
    first_row: int,
    first_day: np.datetime64,
    shape: tuple[int, int, int],
) -> tuple[list[MeterEvent], np.ndarray]:
    """A few transformers go dark for one to four hours: (events of their first meters, (M, D, S) bool)."""
    _, days, slots = shape
    dark, events = np.zeros(shape, bool), []
    for _ in range(rng.poisson((transformer_of[-1] + 1) * days / 1500)):
        below = np.flatnonzero(transformer_of == rng.integers(transformer_of[-1] + 1))
        day, slot = rng.integers(days), rng.integers(slots)
        dark[below, day, slot : slot + max(1, slots * rng.integers(1, 5) // 24)] = True
        at = _moment(first_day, day, slot / slots)
        events += [MeterEvent(serial_of(first_row + row), at, "power_outage") for row in below]
    return events, dark


def tamper_events(
    rng: np.random.Generator, plan: Plan, first_row: int, first_day: np.datetime64, days: int
) -> list[MeterEvent]:
    """What meters say about tampers, mostly on the day that they begin, and what they say without one."""
    events = []
    for code, (causes, often, by_chance) in SIGNS.items():
        by_theft = np.isin(plan.change, causes) & (plan.steals | plan.past) & (plan.onset > 0)
        for cause, chance, day in (
            (by_theft, often, plan.onset),
            (True, by_chance, rng.integers(0, days, len(by_theft))),
        ):
            says = cause & (rng.random(len(by_theft)) < chance)
            part = rng.random(len(by_theft))
            events += [
                MeterEvent(serial_of(first_row + row), _moment(first_day, day[row], part[row]), code)
                for row in np.flatnonzero(says)
            ]
    for row in np.flatnonzero(plan.change == "magnet_some_hours"):
        again = plan.onset[row] + rng.integers(1, 30, int(rng.integers(0, 6)))
        events += [
            MeterEvent(serial_of(first_row + row), _moment(first_day, day, rng.random()), "magnetic_field")
            for day in again[again < plan.end[row]]
        ]
    return events


def serial_of(row: int) -> str:
    """Of the meter in that row of a city: the first one of each consumer, then the replacements."""
    return f"M{100_000 + row}"


def _moment(first_day: np.datetime64, day: int, part_of_day: float) -> datetime:
    minute = (first_day + int(day)).astype("M8[m]") + int(part_of_day * 1440)
    return datetime.fromisoformat(f"{minute}+00:00")


def inspections(rng: np.random.Generator, plan: Plan, first_day: np.datetime64, days: int) -> list[Inspection]:
    """Visits of the window's last months, with what the crews found: past thefts, and many honest doors."""
    visits = [
        Inspection(int(row), (first_day + plan.end[row]).item(), FINDS.get(str(plan.change[row]), "meter_tampering"))
        for row in np.flatnonzero(plan.past)
    ]
    doors = rng.permutation(np.flatnonzero(~plan.past))[: round(0.042 * len(plan.past))]
    for row in doors:
        day = int(rng.integers(days // 4, days - 5))
        # A theft that goes on cannot have been found; nobody answered, or the crew came before it began.
        if rng.random() < 0.2 or (plan.steals[row] and plan.onset[row] <= day):
            outcome = "no_access"
        elif plan.change[row] and not plan.steals[row] and plan.onset[row] <= day:
            outcome = "vacant" if plan.change[row] == "moved_out" else "legitimate_change"
        else:
            outcome = "nothing_found"
        visits.append(Inspection(int(row), (first_day + day).item(), outcome))
    return sorted(visits, key=lambda visit: visit.day)
