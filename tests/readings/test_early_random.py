"""Files as nobody thought of them, imported both ways: written as they are read, and read to their end first."""

import random

import numpy as np
import pytest

from apps.readings import importing
from tests.readings.files import long_csv, send
from tests.readings.test_early import forget_everything, in_the_tables, small, written

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["small", "written"]  # fixtures
FILES = 16
HEADER = "meter,timestamp,kwh,channel,quality"
CLOCKS = ("UTC", "Europe/London", "Europe/Berlin", "America/New_York", "Atlantic/Azores")


class File:
    def __init__(self, seed: int):
        self.chance = chance = random.Random(seed)
        self.zone, self.clock = chance.choice(CLOCKS[1:5]), chance.choice(CLOCKS)
        self.stated = {
            "timezone": self.clock,
            "stamps": chance.choice(["start", "end"]),
            "unit": chance.choice(["kWh", "kW"]),
        }
        self.begin = np.datetime64(chance.choice(["2026-03-20", "2025-10-18", "2026-06-01"]), "m")
        self.days, usual = chance.choice([12, 25, 40]), chance.choice([60, 30])
        order = chance.choice(
            [
                lambda row: row[:1] + row[3:4] + row[1:2],  # by meter
                lambda row: row[1:2] + row[:1],  # by time
                lambda row: (row[1][:10], *row[:1], *row[3:4], row[1]),  # by day, meter by meter
            ]
        )
        rows = [row for meter in range(chance.randint(2, 8)) for row in self.meter(f"M-{meter}", usual)]
        rows += [self.row(f"X-{one}", chance.randrange(self.days * 1440 // 60) * 60) for one in range(3)]
        self.rows = sorted(rows, key=order)
        chance.choice([lambda: None, lambda: None, self.send_again, self.mark_missing, self.come_late])()

    def row(self, meter: str, minutes: int, channel: str = "import") -> tuple:
        stamp = str(self.begin + np.timedelta64(minutes, "m")).replace("T", " ")
        quality = "estimated" if self.chance.random() < 0.1 else ""
        return meter, stamp, self.chance.randrange(99) / 8, channel, quality

    def meter(self, meter: str, usual: int) -> list[tuple]:
        chance = self.chance
        interval = usual if chance.random() < 0.8 else chance.choice([15, 30, 60, 1440])
        first, last = (0, self.days) if chance.random() < 0.7 else sorted(chance.sample(range(self.days + 1), 2))
        gaps = chance.choice([0, 0, 0, 0.05, 0.8])
        moments = [minutes for minutes in range(first * 1440, last * 1440, interval) if chance.random() >= gaps]
        channels = chance.choice([["import"], ["import"], ["import", "export"]])
        return [self.row(meter, minutes, channel) for channel in channels for minutes in moments]

    def send_again(self) -> None:
        for row in self.chance.sample(self.rows, 5):
            self.rows.insert(self.chance.randrange(len(self.rows)), (*row[:2], 7.75, *row[3:]))

    def mark_missing(self) -> None:
        for at in self.chance.sample(range(len(self.rows)), len(self.rows) // 20):
            self.rows[at] = (*self.rows[at][:2], -1, *self.rows[at][3:])

    def come_late(self) -> None:
        self.rows += self.chance.sample(self.rows, 3)


@pytest.mark.parametrize("seed", range(FILES))
def test_a_file_means_the_same_both_ways(written, monkeypatch, settings, seed):
    file = File(seed)
    settings.UTILITY_TIME_ZONE = file.zone
    content = long_csv(*file.rows, header=HEADER)
    early = in_the_tables(send(content, **file.stated))
    forget_everything()
    monkeypatch.setattr(importing, "may_write_early", lambda _upload: False)
    assert in_the_tables(send(content, **file.stated)) == early


def test_some_of_these_files_are_written_early_and_some_are_read_anew(written, settings):
    anew = []
    for seed in range(FILES):
        file, before = File(seed), written["anew"]
        settings.UTILITY_TIME_ZONE = file.zone
        send(long_csv(*file.rows, header=HEADER), **file.stated)
        anew.append(written["anew"] - before)
        forget_everything()
    assert written["portions"] > FILES
    assert 0 < sum(anew) < FILES
