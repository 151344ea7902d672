"""Days on which a made-up city does not work as usual: those of England, which its place and clock borrow."""

from datetime import date, timedelta

import numpy as np


def public_holidays(calendar: np.ndarray) -> np.ndarray:
    """(D,) bool of (D,) datetime64[D]."""
    free = [day for year in _years(calendar) for day in _free_days(year)]
    return np.isin(calendar, np.array(free, "M8[D]"))


def school_holidays(calendar: np.ndarray) -> np.ndarray:
    """(D,) bool of (D,) datetime64[D]."""
    away = np.zeros(len(calendar), bool)
    for year in _years(calendar):
        easter = _easter(year)
        spans = (
            *((date(year, 1, 1), date(year, 1, 3)), (date(year, 2, 14), date(year, 2, 20))),
            *((easter - timedelta(days=9), easter + timedelta(days=7)), (date(year, 5, 25), date(year, 5, 31))),
            *((date(year, 7, 22), date(year, 9, 1)), (date(year, 10, 24), date(year, 10, 31))),
            (date(year, 12, 20), date(year, 12, 31)),
        )
        for first, last in spans:
            away |= (calendar >= np.datetime64(first)) & (calendar <= np.datetime64(last))
    return away


def _years(calendar: np.ndarray) -> range:
    years = calendar.astype("M8[Y]").astype(int) + 1970
    return range(int(years.min()), int(years.max()) + 1)


def _free_days(year: int) -> list[date]:
    easter = _easter(year)
    last_of_may, last_of_august = date(year, 5, 31), date(year, 8, 31)
    return [
        *(date(year, 1, 1), easter - timedelta(days=2), easter + timedelta(days=1)),
        date(year, 5, 1) + timedelta(days=-date(year, 5, 1).weekday() % 7),
        last_of_may - timedelta(days=last_of_may.weekday()),
        last_of_august - timedelta(days=last_of_august.weekday()),
        *(date(year, 12, 25), date(year, 12, 26)),
    ]


def _easter(year: int) -> date:
    """Sunday, by the rule of Gauss as Meeus writes it for the Gregorian calendar."""
    golden, century, of_century = year % 19, year // 100, year % 100
    moon = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    sunday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - moon - of_century % 4) % 7
    late = (golden + 11 * moon + 22 * sunday) // 451
    month, day = divmod(moon + sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)
