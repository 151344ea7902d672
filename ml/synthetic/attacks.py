"""How energy is stolen: what the meter registers, given what is consumed.

Each formula takes a Home and a generator and returns the (T, S) kWh registered from the onset on; consumption itself
goes on. Sources: false-data attacks of the literature (FDI 1-6; m0 to m13 after Jokar 2016, Messinis 2018 and Chuwa
2021; the six of TDD 2022) and tampers of the field (a bypassed phase, a magnet, a second line, a swapped meter). The
ranges are wide and overlap honest changes on purpose: a limit of the simulator must not become the detector's border.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ml.synthetic.home import Home, at_share, part_of_day, ramp, spells, spells_of_hours, wandering

Attack = Callable[[Home, np.random.Generator], np.ndarray]


def steal(name: str, home: Home, rng: np.random.Generator) -> np.ndarray:
    """What is registered under that attack, as untidy as people are: it leaks, or rests on some days."""
    registered = ATTACKS[name](home, rng)
    if name == IDENTITY:
        return registered
    if rng.random() < 0.15:
        registered = registered + np.float32(rng.uniform(0.01, 0.12)) * (home.kwh - registered)
    if rng.random() < 0.12:
        rests = spells(rng, home.days, rng.uniform(0.03, 0.15), 1.5)
        registered = np.where(rests[:, None], home.kwh, registered)
    return registered


# ---------------------------------------------------------------------------------------------- less of everything


def scaled(home, rng):
    """m1: a fixed part of the consumption."""
    return home.kwh * np.float32(rng.uniform(0.1, 0.9))


def phase_bypassed(home, rng):
    """One phase of three, or two, past the meter; what hangs on a phase differs from hour to hour."""
    share = rng.choice([1 / 3, 2 / 3], p=[0.65, 0.35])
    spread = rng.uniform(0.03, 0.25)
    hidden = share + spread * rng.standard_normal(home.kwh.shape, dtype=np.float32) + 0.06 * wandering(rng, home.days)
    return home.kwh * (1 - np.clip(hidden, 0, 1))


def half_bypassed(home, rng):
    """A shunt across the meter: its share depends on the load, so the meter loses more of the peaks."""
    hidden = rng.uniform(0.2, 0.7)
    curve = rng.uniform(-0.3, 0.3)
    load = np.clip(home.kwh / (3 * home.usual), 0, 1)
    return home.kwh * (1 - np.clip(hidden + curve * (load - 0.3), 0, 0.95)).astype(np.float32)


def random_factor_daily(home, rng):
    """FDI1, TDD1: another part every day."""
    low = rng.uniform(0.05, 0.6)
    return home.kwh * rng.uniform(low, rng.uniform(low + 0.1, 1), (home.days, 1)).astype(np.float32)


def random_factor_slotwise(home, rng):
    """FDI5, m3, TDD3: another part in every slot."""
    low = rng.uniform(0.05, 0.6)
    high = rng.uniform(low + 0.1, 1)
    return home.kwh * np.float32(low + (high - low) * rng.random(home.kwh.shape, dtype=np.float32))


def neutral_tampered(home, rng):
    """The neutral is lifted: what is registered wanders with the loads on the other phases."""
    left = rng.uniform(0.2, 0.8) * np.exp(rng.uniform(0.1, 0.5) * wandering(rng, home.days, int(rng.integers(1, 8))))
    return home.kwh * np.clip(left, 0, 1).astype(np.float32)


# ------------------------------------------------------------------------------------------- peaks and constants


def peaks_clipped(home, rng):
    """FDI2, m6: never more than a limit."""
    return np.minimum(home.kwh, np.float32(_limit(home, rng)))


def peaks_limited_softly(home, rng):
    """A limiter that is neither exact nor every day the same: above its limit, a part still counts."""
    limit = _limit(home, rng) * (1 + rng.uniform(0.05, 0.3) * wandering(rng, home.days, 3))
    limit = limit * (1 + rng.uniform(0.02, 0.15) * rng.standard_normal(home.kwh.shape, dtype=np.float32))
    over = np.clip(home.kwh - np.clip(limit, 0, None), 0, None)
    return home.kwh - over * np.float32(rng.uniform(0.5, 1))


def heavy_load_past_meter(home, rng):
    """Cooker, heater or boiler on a second line: high loads mostly vanish, the rest stays."""
    above = at_share(home.before, rng.uniform(0.4, 0.85))
    hidden = rng.uniform(0.5, 1) * (rng.random(home.kwh.shape, dtype=np.float32) < rng.uniform(0.6, 1))
    return home.kwh - np.clip(home.kwh - above, 0, None) * hidden.astype(np.float32)


def shifted_down(home, rng):
    """FDI3, m7: a constant less, and never below nothing."""
    return np.maximum(home.kwh - np.float32(rng.uniform(0.15, 1.3) * home.usual), 0)


def constant_hidden_with_noise(home, rng):
    """A load of its own line that runs most of the time: about a constant less."""
    hidden = rng.uniform(0.15, 1) * home.usual * (1 + 0.15 * wandering(rng, home.days, 5))
    noise = 1 + rng.uniform(0.1, 0.4) * rng.standard_normal(home.kwh.shape, dtype=np.float32)
    floor = np.float32(rng.uniform(0, 0.5) * home.base)
    return np.minimum(home.kwh, np.maximum(home.kwh - np.clip(hidden * noise, 0, None), floor)).astype(np.float32)


def base_load_past_meter(home, rng):
    """What runs day and night is fed before the meter."""
    base = rng.uniform(0.5, 1.2) * home.base + rng.uniform(0, 0.2) * home.usual
    noise = 1 + 0.1 * rng.standard_normal(home.kwh.shape, dtype=np.float32)
    return np.clip(home.kwh - np.float32(base) * noise, 0, home.kwh)


def _limit(home: Home, rng: np.random.Generator) -> float:
    """A limit that bites: between what most slots stay under and what few reach."""
    if home.slots == 1:
        return home.usual * rng.uniform(0.3, 0.95)
    if rng.random() < 0.4:
        return rng.uniform(0.15, 0.8) * at_share(home.before, 0.998)
    return max(at_share(home.before, rng.uniform(0.35, 0.96)), 0.4 * home.usual)


# -------------------------------------------------------------------------------------------------- some hours


def window_zeroed(home, rng):
    """FDI4, m2, TDD2: nothing in the same hours every day, or in hours that wander."""
    return home.kwh * (1 - _hidden_hours(home, rng, rng.uniform(2, 20)))


def window_reduced(home, rng):
    """m4: a part in some hours, all of it in the others."""
    return home.kwh * (1 - np.float32(rng.uniform(0.3, 0.95)) * _hidden_hours(home, rng, rng.uniform(4, 18)))


def bypassed_at_night(home, rng):
    hours = part_of_day(home.slots, rng.uniform(20, 25), rng.uniform(5, 10))
    return home.kwh * (1 - hours * _all_or(rng, 0.4))


def bypassed_in_the_evening(home, rng):
    hours = part_of_day(home.slots, rng.uniform(15.5, 19.5), rng.uniform(2.5, 7))
    return home.kwh * (1 - hours * _all_or(rng, 0.4))


def _hidden_hours(home: Home, rng: np.random.Generator, length: float) -> np.ndarray:
    """(T, S) or (S,): the same hours every day; for some thieves about the same, by half an hour or more."""
    start = rng.uniform(0, 24)
    hours = part_of_day(home.slots, start, length)
    if home.slots == 1 or rng.random() < 0.6:
        return hours
    late = np.round(rng.normal(0, rng.uniform(0.3, 1.5), home.days) * home.slots / 24).astype(int)
    return hours[(np.arange(home.slots) - late[:, None]) % home.slots]


# --------------------------------------------------------------------------------------------- invented readings


def flat(home, rng):
    """m9, TDD5: a constant, at the mean of before or below."""
    return _never_more(np.full(home.kwh.shape, home.usual * rng.uniform(0.3, 1), np.float32), home, rng)


def flat_by_day(home, rng):
    """FDI6, m5, TDD4: the mean times chance, by slot or by day."""
    each = home.kwh.shape if rng.random() < 0.5 else (home.days, 1)
    low = rng.uniform(0.05, 0.7)
    high = rng.uniform(low + 0.05, 1.2)
    return _never_more(np.full(home.kwh.shape, home.usual) * rng.uniform(low, high, each), home, rng)


def nearly_flat(home, rng):
    """The meter mostly repeats a constant: what is left of the real shape shows through."""
    left = rng.uniform(0.05, 0.45)
    level = home.usual * rng.uniform(0.3, 0.95) * (1 + 0.1 * wandering(rng, home.days, 4))
    noise = 1 + rng.uniform(0.02, 0.15) * rng.standard_normal(home.kwh.shape, dtype=np.float32)
    return _never_more(np.clip(level * noise, 0, None) * (1 - left) + home.kwh * left, home, rng)


def profile_of_another(home, rng):
    """m12: the pattern of somebody who uses little."""
    share = rng.uniform(0.15, 0.85) * home.kwh.sum() / max(float(home.another.sum()), 1e-3)
    return home.another * np.float32(share)


def meter_swapped(home, rng):
    """Another consumer's meter hangs here, and registers what that one used; a part of the own shape may remain."""
    blend = rng.choice([0.0, rng.uniform(0.1, 0.5)])
    return _never_more(home.another * (1 - blend) + home.kwh * blend, home, rng)


def own_old_days(home, rng):
    """Replayed: a stretch of the own past, again and again, mostly a thrifty one."""
    length = min(len(home.before), int(rng.choice([1, 2, 7, 14])))
    starts = len(home.before) - length + 1
    tries = rng.integers(0, starts, 3)
    start = min(tries, key=lambda first: float(home.before[first : first + length].sum()))
    days = np.arange(home.days) % length + start
    jitter = 1 + rng.choice([0, 0.05]) * rng.standard_normal(home.kwh.shape, dtype=np.float32)
    return _never_more(home.before[days] * np.float32(rng.uniform(0.4, 1)) * np.clip(jitter, 0, 2), home, rng)


def _never_more(registered: np.ndarray, home: Home, rng: np.random.Generator) -> np.ndarray:
    """Nobody invents readings that cost more than the real ones: brought below the consumption where they would."""
    real, invented = float(home.kwh.sum()), float(registered.sum())
    if invented > 0.95 * real:
        registered = registered * (rng.uniform(0.4, 0.95) * real / max(invented, 1e-6))
    return registered.astype(np.float32, copy=False)


# ------------------------------------------------------------------------- the same total at another hour's price


def day_reversed(home, rng):
    """m10, TDD6: each day backwards; a daily reading does not show it."""
    return home.kwh[:, ::-1]


def registered_late(home, rng):
    """The clock of the meter was moved: everything counts hours later, for some thieves backwards too."""
    order = home.kwh[:, ::-1] if rng.random() < 0.3 else home.kwh
    return np.roll(order, int(rng.uniform(3, 21) / 24 * home.slots), axis=1)


def peaks_spread(home, rng):
    """m11: a part of the peaks counts in the day's other hours. Peaks are fixed hours, each day's own, or any above a
    limit; what is moved fills the rest evenly, or as the rest was used."""
    peaks = rng.choice(["hours", "of_day", "limit"])
    part = np.float32(rng.uniform(0.2, 0.9))
    if peaks == "limit" and home.slots > 1:
        limit = max(at_share(home.before, rng.uniform(0.5, 0.93)), 0.5 * home.usual)
        taken = np.clip(home.kwh - np.float32(limit), 0, None) * part
        rest = np.ones_like(home.kwh)
    else:
        if peaks == "of_day" and home.slots > 1:
            place = int(home.slots * rng.uniform(0.6, 0.95))
            peak = (home.kwh >= np.partition(home.kwh, place, axis=1)[:, place, None]).astype(np.float32)
        else:
            peak = np.broadcast_to(_dear_hours(home, rng), home.kwh.shape)
        taken, rest = home.kwh * peak * part, 1 - peak
    if rng.random() < 0.3:
        rest = rest * home.kwh
    return home.kwh - taken + taken.sum(1, keepdims=True) * rest / np.maximum(rest.sum(1, keepdims=True), 1e-6)


def moved_to_the_night(home, rng):
    """A part of the dear hours counts in the cheap ones."""
    taken = home.kwh * _dear_hours(home, rng) * np.float32(rng.uniform(0.2, 0.8))
    night = part_of_day(home.slots, rng.uniform(22, 25), rng.uniform(4, 8))
    return home.kwh - taken + taken.sum(1, keepdims=True) * night / max(float(night.sum()), 1e-6)


def _dear_hours(home: Home, rng: np.random.Generator) -> np.ndarray:
    """(S,) the evening's, the day's, or this home's own hours of most use."""
    if rng.random() < 0.5 or home.slots == 1:
        return part_of_day(home.slots, rng.uniform(7, 18), rng.uniform(3, 9))
    habit = home.before.mean(0)
    return (habit > at_share(habit, rng.uniform(0.5, 0.8))).astype(np.float32)


# ------------------------------------------------------------------------------------------------ now and then


def days_on_and_off(home, rng):
    """m13: whole days past the meter."""
    off = spells(rng, home.days, rng.uniform(0.25, 0.9), rng.uniform(1, 4))
    return home.kwh * (1 - off[:, None] * _all_or(rng, 0.8))


def hours_on_and_off(home, rng):
    """m13 by the hour."""
    off = spells_of_hours(rng, home.days, home.slots, rng.uniform(0.2, 0.8), rng.uniform(0.5, 6))
    return home.kwh * (1 - off * _all_or(rng, 0.8))


def _all_or(rng: np.random.Generator, least: float) -> np.float32:
    """The part that is hidden: mostly all of it, for some only nearly."""
    return np.float32(1 if rng.random() < 0.65 else rng.uniform(least, 1))


def magnet_some_hours(home, rng):
    """A magnet slows the meter while somebody holds it there."""
    held = spells_of_hours(rng, home.days, home.slots, rng.uniform(0.2, 0.7), rng.uniform(2, 14))
    return home.kwh * (1 - held * np.float32(rng.uniform(0.3, 0.95)))


def phase_bypassed_some_days(home, rng):
    on = spells(rng, home.days, rng.uniform(0.3, 0.8), rng.uniform(1, 5))
    return np.where(on[:, None], phase_bypassed(home, rng), home.kwh)


def bypassed_in_spells(home, rng):
    """Weeks with and weeks without."""
    on = spells(rng, home.days, rng.uniform(0.4, 0.8), rng.uniform(6, 20))
    on[0] = True
    return home.kwh * (1 - on[:, None] * _all_or(rng, 0.3))


def bypassed_at_weekends(home, rng):
    on = home.weekend if rng.random() < 0.6 else (home.weekday >= 4)
    return home.kwh * (1 - on[:, None] * _all_or(rng, 0.4))


def bypassed_on_workdays(home, rng):
    hidden = np.float32(rng.uniform(0.3, 1)) * (~home.weekend)[:, None]
    hours = part_of_day(home.slots, rng.uniform(0, 24), rng.uniform(8, 24))
    return home.kwh * (1 - hidden * hours)


# --------------------------------------------------------------------------------------------- little by little


def ramp_down(home, rng):
    """m8: less and less."""
    lost = rng.uniform(0.25, 1) * ramp(home.days, rng.uniform(10, 110))
    return home.kwh * (1 - lost.astype(np.float32))


def ramp_down_wavering(home, rng):
    lost = rng.uniform(0.3, 0.9) * ramp(home.days, rng.uniform(14, 90)) * (1 + 0.4 * wandering(rng, home.days, 3))
    return home.kwh * (1 - np.clip(lost, 0, 0.98)).astype(np.float32)


def stepwise_down(home, rng):
    """More is led past the meter every few weeks."""
    step, every = rng.uniform(0.6, 0.9), rng.uniform(4, 25)
    left = np.maximum(step ** (np.floor(np.arange(home.days) / every) + 1), rng.uniform(0.05, 0.3))
    return home.kwh * left.astype(np.float32)[:, None]


def heating_bypassed(home, rng):
    """Only the heating: the colder the day, the more is missing."""
    hidden = rng.uniform(0.3, 0.9) * home.cold[:, None] * (1 + 0.1 * wandering(rng, home.days, 3))
    return home.kwh - np.clip(home.kwh - np.float32(home.base), 0, None) * np.clip(hidden, 0, 1).astype(np.float32)


def stopped(home, rng):
    """m0: nothing; on some meters a little creeps on."""
    creep = rng.choice([0.0, rng.uniform(0.003, 0.06)], p=[0.7, 0.3])
    return home.kwh * np.float32(creep)


# -------------------------------------------------------------------------------------------------- two at once


def two_at_once(home, rng):
    """Two of the above at the same time, or the second from a later day."""
    first, second = rng.choice(_MIXABLE, 2, replace=False)
    registered = ATTACKS[first](home, rng).astype(np.float32)
    later = int(rng.integers(0, max(1, home.days // 2))) if rng.random() < 0.4 else 0
    rest = replace(
        home,
        kwh=registered[later:],
        weekday=home.weekday[later:],
        cold=home.cold[later:],
        sun=home.sun[later:],
        another=home.another[later:],
    )
    return np.concatenate([registered[:later], ATTACKS[second](rest, rng)])


def identity(home, rng):
    """Changes nothing: whatever finds it reads the simulation and not a theft."""
    return home.kwh


IDENTITY = "identity"
_FAMILIES: dict[str, tuple[Attack, ...]] = {
    "reduce": (scaled, phase_bypassed, half_bypassed),
    "reduce_random": (random_factor_daily, random_factor_slotwise, neutral_tampered),
    "clip_peaks": (peaks_clipped, peaks_limited_softly, heavy_load_past_meter),
    "subtract": (shifted_down, constant_hidden_with_noise, base_load_past_meter),
    "window": (window_zeroed, window_reduced, bypassed_at_night, bypassed_in_the_evening),
    "flat": (flat, flat_by_day, nearly_flat),
    "foreign_profile": (profile_of_another, meter_swapped),
    "replay": (own_old_days,),
    "tariff_shift": (day_reversed, registered_late, peaks_spread, moved_to_the_night),
    "on_off": (days_on_and_off, hours_on_and_off),
    "intermittent": (
        *(magnet_some_hours, phase_bypassed_some_days, bypassed_in_spells),
        *(bypassed_at_weekends, bypassed_on_workdays),
    ),
    "drift": (ramp_down, ramp_down_wavering, stepwise_down),
    "heating": (heating_bypassed,),
    "zero": (stopped,),
    "mixture": (two_at_once,),
}
ATTACKS: dict[str, Attack] = {
    **{attack.__name__: attack for attacks in _FAMILIES.values() for attack in attacks},
    IDENTITY: identity,
}
FAMILY: dict[str, str] = {attack.__name__: family for family, attacks in _FAMILIES.items() for attack in attacks}
"""Of every attack but the identity."""
FAMILIES: dict[str, tuple[str, ...]] = {
    family: tuple(attack.__name__ for attack in attacks) for family, attacks in _FAMILIES.items()
}
KEEPS_TOTAL = frozenset(FAMILIES["tariff_shift"])
"""A day's total is right, only the hours are not: a daily reading cannot show these."""
SLOW = frozenset((*FAMILIES["drift"], "heating_bypassed"))
"""Begin too gently to show within a few days."""
_MIXABLE = sorted(set(FAMILY) - {"two_at_once", "stopped"} - set(FAMILIES["foreign_profile"]) - {"own_old_days"})
