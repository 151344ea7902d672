import numpy as np

from ml.synthetic.holidays import public_holidays, school_holidays


def test_public_holidays_are_those_of_england():
    year = np.arange("2025-01-01", "2026-01-01", dtype="M8[D]")
    free = [str(day)[5:] for day in year[public_holidays(year)]]
    assert free == ["01-01", "04-18", "04-21", "05-05", "05-26", "08-25", "12-25", "12-26"]


def test_schools_close_around_easter_and_in_august():
    days = np.array(["2024-04-01", "2024-05-14", "2025-08-10", "2025-09-20"], "M8[D]")
    assert school_holidays(days).tolist() == [True, False, True, False]
