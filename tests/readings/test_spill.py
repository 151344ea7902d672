"""Large files go over the disk, and meters that read together go a quick way: what comes out is the same."""

from itertools import pairwise

import numpy as np
import pytest

from apps.readings import spill
from apps.readings.assembly import Assembler
from apps.readings.importers.base import Block, FileFault, Reading, Rejects
from apps.readings.models import LoadProfile, LoadProfileRevision, MeterState, RejectedLine, Upload
from apps.readings.series import Columns
from apps.readings.spill import Spill
from apps.readings.statements import Statement
from tests.readings.files import long_csv, send

FIRST = 29_500_000 // 1440 * 1440  # some midnight


@pytest.fixture
def tiny(monkeypatch, media):
    """Nothing fits in memory."""
    for name, size in (("RUN_READINGS", 50), ("GROUP_READINGS", 60), ("RUNS_IN_MEMORY", 1)):
        monkeypatch.setattr(spill, name, size)


def block(meters, minutes, values, lines=None, quality=None) -> Block:
    lines = np.arange(len(meters)) if lines is None else lines
    return Block(
        np.array(meters, "i4"), np.array(minutes, "i4"), np.array(values, "f8"), np.array(lines, "i4"), None, quality
    )


def neighbourhood(seed: int, kind: str) -> Block:
    """Three days of eight meters in any order: gaps, repeated lines, impossible values, meters of other intervals."""
    rng = np.random.default_rng(seed)
    rows = []
    for meter in range(8):
        step = {"alike": 30, "mixed": [15, 30, 60, 30][meter % 4], "daily": 1440}[kind]
        minutes = FIRST + np.arange(0, 3 * 1440 if step < 1440 else 40 * 1440, step)
        minutes = minutes[rng.random(len(minutes)) > [0, 0.1, 0.9][meter % 3]]
        rows += [(meter, minute, rng.integers(1, 99) / 8) for minute in minutes]
    rows += [rows[i] for i in rng.integers(0, len(rows), 3 * (seed % 2))]
    rows += [(meter, FIRST + 60 * meter, -1) for meter in range(2 * (seed % 3))]
    rows += [(7, FIRST + 7, 1), (5, FIRST, 1e9)] if seed % 5 == 0 else []
    order = rng.permutation(len(rows)) if seed % 4 else np.arange(len(rows))
    meters, minutes, values = zip(*(rows[i] for i in order), strict=True)
    return block(meters, minutes, values, quality=rng.integers(0, 3, len(rows)).astype("i1") if seed % 2 else None)


def outcome(found, assembler: Assembler, reading: Reading) -> tuple:
    days = {
        (int(part.meters[row]), int(part.days[row]), part.kwh.shape[1]): (
            part.kwh[row].tolist(),
            [0] * part.kwh.shape[1] if part.quality is None else part.quality[row].tolist(),
        )
        for part in found
        for row in range(len(part))
    }
    return str(days), sorted(reading.rejects.kept), assembler.duplicates


@pytest.mark.parametrize("kind", ["alike", "mixed", "daily"])
@pytest.mark.parametrize("seed", range(10))
def test_the_quick_way_and_the_disk_change_no_day_and_no_rejected_line(tiny, monkeypatch, kind, seed):
    monkeypatch.setattr(spill, "GROUP_READINGS", [10_000, 500, 60][seed % 3])  # meters alone and together
    sent = neighbourhood(seed, kind)
    outcomes = []
    for quick in (False, True):
        reading = Reading(Rejects(1000), names=[f"M{m}" for m in range(8)], zoned=False, dates_only=kind == "daily")
        zone = "Europe/London" if seed > 5 else "UTC"
        statement = Statement(zone, unit="kW" if seed == 3 else "Wh", stamps="end" if seed == 4 else "start")
        assembler = Assembler(statement, reading)
        if quick:
            with Spill() as spilled:
                spilled.add(sent)
                groups = (Columns.of(group) for group in spilled.groups())
                found = sorted(assembler.days_of_groups(groups, np.zeros(8, int)), key=len)
        else:
            found = list(assembler.days(assembler.sorted([sent])))
        found = sorted((part[row : row + 1] for part in found for row in range(len(part))), key=lambda one: (
            int(one.meters[0]), int(one.days[0])
        ))  # fmt: skip
        outcomes.append(outcome(found, assembler, reading))
    assert outcomes[0] == outcomes[1]


def test_readings_come_back_by_meter_and_in_the_order_of_the_file(tiny):
    rng = np.random.default_rng(0)
    meters = rng.integers(3, 40, 1000)
    with Spill() as spilled:
        for start in range(0, 1000, 130):
            some = slice(start, start + 130)
            spilled.add(block(meters[some], np.arange(1000)[some], meters[some] / 2, np.arange(1000)[some]))
        groups = list(spilled.groups())
        assert len(spilled) == 1000
    assert len(groups) > 10
    lines = np.concatenate([group.lines[np.argsort(group.meters, kind="stable")] for group in groups])
    assert lines.tolist() == np.argsort(meters, kind="stable").tolist()
    assert all((group.values == meters[group.lines] / 2).all() for group in groups)
    for one, other in pairwise(groups):
        assert one.meters.max() < other.meters.min(), "no meter is parted"


@pytest.mark.parametrize("by_time", [True, False])
@pytest.mark.parametrize("flagged", [True, False])
def test_meters_that_read_together_come_back_one_after_the_other(tiny, monkeypatch, by_time, flagged):
    monkeypatch.setattr(spill, "RUN_READINGS", 64)
    meters, minutes = (order.ravel() for order in np.meshgrid(np.arange(4), np.arange(40), indexing="ij"))
    order = np.lexsort((meters, minutes)) if by_time else np.arange(160)
    quality = np.where(np.arange(160) < 100, 0, 2).astype("i1") if flagged else None
    with Spill() as spilled:
        for start in range(0, 160, 16):
            rows = order[start : start + 16]
            some = None if quality is None or start < 80 else quality[rows]
            spilled.add(block(meters[rows], minutes[rows], rows, rows, some))
        groups = list(spilled.groups())
    for group in groups:
        assert group.minutes.tolist() == [*range(40)] * len(set(group.meters.tolist()))
        assert (group.meters * 40 + group.minutes == group.lines).all()
        if flagged:
            assert (group.quality[group.quality > 0] == 2).all()
    found = np.concatenate([group.lines for group in groups])
    assert found.tolist() == [*range(160)]


def test_a_stamp_that_clocks_never_showed_is_refused_of_all_meters_and_they_go_the_quick_way(monkeypatch):
    hours = np.datetime64("2026-03-29T00:00", "m").astype(int) + 60 * np.arange(24)
    sent = block(np.repeat([0, 1], 24), np.tile(hours, 2), np.ones(48), np.arange(48))
    reading = Reading(Rejects(10), names=["M0", "M1"], zoned=False, dates_only=False)
    assembler = Assembler(Statement("Europe/Berlin"), reading)
    monkeypatch.setattr(assembler, "days_of_meters", None)  # the other way
    found = list(assembler.days_of_groups([Columns.of(sent)], np.zeros(2, int)))
    assert sorted(line for line, *_rest in reading.rejects.kept) == [2, 26]
    assert [np.isfinite(part.kwh).sum() for part in found] == [46]


def test_a_column_that_is_no_meter_does_not_fill_the_memory(tiny, monkeypatch):
    monkeypatch.setattr(spill, "METER_MOST_READINGS", 100)
    with Spill() as spilled:
        spilled.add(block([0] * 200, range(200), [1] * 200))
        with pytest.raises(FileFault, match="one and the same meter"):
            list(spilled.groups())


@pytest.mark.django_db
def test_a_file_that_goes_over_the_disk_is_imported_as_any_other_and_leaves_nothing_there(tiny, media):
    rows = [
        (f"M-{m}", f"2026-03-{d:02} {h:02}:00", m + d + h) for d in range(1, 8) for h in range(24) for m in range(9)
    ]
    upload = send(long_csv(*rows, ("M-1", "2026-03-01 00:00", "x")))
    assert (upload.readings, upload.days_new, upload.meters, upload.rejected) == (9 * 7 * 24, 63, 9, 1)
    assert sum(sum(days.kwh) for days in LoadProfile.objects.all()) == sum(row[2] for row in rows)
    assert [path.name for path in (media / "uploads").iterdir()] == [upload.sha256[:2]]
    again = send(long_csv(*rows))
    assert (again.days_new, again.days_changed, again.days_same) == (0, 0, 63)


@pytest.mark.django_db
def test_of_a_large_file_that_fails_at_its_last_days_nothing_is_written(tiny, monkeypatch):
    from apps.readings.merge import Merge

    real, parts = Merge.write, []

    def fail_late(self, *args, **options):
        parts.append(args)
        real(self, *args, **options)
        if len(parts) == 5:
            raise OSError("the disk is full")

    monkeypatch.setattr(Merge, "write", fail_late)
    rows = [(f"M-{m}", f"2026-03-01 {h:02}:00", 1) for m in range(90) for h in range(24)]
    upload = send(long_csv(*rows))
    assert (len(parts), upload.status, upload.attempts) == (5, Upload.Status.PENDING, 1)
    for model in (LoadProfile, LoadProfileRevision, MeterState, RejectedLine):
        assert not model.objects.exists()


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("left", [[0, 1, 2, 3, 4, 0], [2, 3, 4, 2]])
def test_one_round_of_meters_and_a_little_more_loses_nothing(media, monkeypatch, on_disk, left):
    for name, size in (("RUN_READINGS", 20), ("GROUP_READINGS", 6), ("RUNS_IN_MEMORY", 0 if on_disk else 3)):
        monkeypatch.setattr(spill, name, size)
    meters = [*range(5)] * 4 + left
    with Spill() as spilled:
        spilled.add(block(meters, range(len(meters)), range(len(meters))))
        found = [
            (meter, minute)
            for group in spilled.groups()
            for meter, minute in zip(group.meters.tolist(), group.minutes.tolist(), strict=True)
        ]
    assert sorted(found) == sorted((meter, minute) for minute, meter in enumerate(meters))
