import numpy as np
import pyarrow as pa
import pytest

from apps.readings.importers import texts
from apps.readings.importers.base import FileFault, Reading, Rejects
from apps.readings.importers.stamp_columns import StampColumn

HOURS = ["2026-03-01 00:00", "2026-03-01 01:00", "2026-03-01 02:00"]


def minutes_of(column: pa.Array, reading: Reading | None = None, stamps: StampColumn | None = None):
    lines = np.arange(1, len(column) + 1, dtype=np.int32)
    return (stamps or StampColumn(False)).minutes(column, lines, reading or Reading(Rejects(0)))


@pytest.mark.parametrize(
    "column",
    [
        pa.array(HOURS).dictionary_encode(),
        pa.array([f"{hour}Z" for hour in HOURS]).dictionary_encode(),
        pa.array(["2026-03-01", "2026-03-02"]).dictionary_encode(),
        *(pa.array(HOURS).cast(pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")),
        pa.array([f"{hour}Z" for hour in HOURS]).cast(pa.timestamp("s", "UTC")),
    ],
)
def test_stamps_that_are_all_alike_mean_what_each_of_them_means(column):
    reading, each = Reading(Rejects(0)), texts.stamps_of(column)
    assert minutes_of(column, reading).tolist() == each.minutes.tolist()
    assert (reading.zoned, reading.dates_only) == (each.zoned.all(), not each.timed.any())


@pytest.mark.parametrize(
    "column",
    [
        pa.array([*HOURS, None]).dictionary_encode(),
        pa.array([*HOURS, "yesterday"]).dictionary_encode(),
        pa.array([*HOURS, "2026-03-01 03:00:30"]).dictionary_encode(),
        pa.array([*HOURS, "2026-03-01"]).dictionary_encode(),
        pa.array([*HOURS, "2026-03-01 03:00Z"]).dictionary_encode(),
        pa.array([1_772_323_230]).cast(pa.timestamp("s")),  # half a minute
        pa.array([2**62]).cast(pa.timestamp("s")),
        pa.array(HOURS),
    ],
)
def test_stamps_that_differ_in_kind_are_left_to_a_closer_look(column):
    assert minutes_of(column) is None


def test_texts_of_later_batches_are_understood_beside_those_of_earlier_ones():
    stamps = StampColumn(False)
    for start in range(3):
        batch = pa.array([f"2026-03-0{day} 00:00" for day in range(1 + start, 4 + start)]).dictionary_encode()
        assert minutes_of(batch, stamps=stamps).tolist() == texts.stamps_of(batch).minutes.tolist()
    assert len(stamps.known) == 5


def test_a_batch_with_zones_after_one_without_is_a_fault():
    reading = Reading(Rejects(0))
    minutes_of(pa.array(HOURS).dictionary_encode(), reading)
    with pytest.raises(FileFault, match="Line 1 has a stamp with its own time zone"):
        minutes_of(pa.array([f"{hour}Z" for hour in HOURS]).dictionary_encode(), reading)
