"""Every shape of the same readings gives the same curves."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml.tables import InputError, Notes, read_readings

DATA = Path(__file__).parents[4] / "shared" / "data"


def make_frame(meters=3, days=4, minutes=60, seed=1) -> pd.DataFrame:
    """Wide: a row per time, a column per meter."""
    stamps = pd.date_range("2026-01-05", periods=days * 1440 // minutes, freq=f"{minutes}min", name="timestamp")
    kwh = np.random.default_rng(seed).gamma(2, 0.2, (len(stamps), meters)).round(3)
    return pd.DataFrame(kwh, stamps, [f"M{number}" for number in range(meters)])


def melted(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.reset_index().melt("timestamp", var_name="meter", value_name="kwh")


def by_day(frame: pd.DataFrame) -> pd.DataFrame:
    days = frame.resample("D").sum().T
    days.columns = [f"{day.year}/{day.month}/{day.day}" for day in days.columns]
    return days.rename_axis("CONS_NO").reset_index()


def curves(frame: pd.DataFrame, minutes=60) -> np.ndarray:
    return frame.to_numpy(np.float32).T.reshape(frame.shape[1], -1, 1440 // minutes)


WRITERS = {
    "wide.csv": lambda frame, path: frame.to_csv(path),
    "german.csv": lambda frame, path: frame.to_csv(path, sep=";", decimal=",", date_format="%d.%m.%Y %H:%M"),
    "tabs.txt": lambda frame, path: frame.to_csv(path, sep="\t", encoding="utf-16"),
    "bom.csv": lambda frame, path: frame.to_csv(path, encoding="utf-8-sig"),
    "wide.parquet": lambda frame, path: frame.to_parquet(path),
    "column.parquet": lambda frame, path: frame.reset_index().to_parquet(path),
    "double.parquet": lambda frame, path: frame.astype("float64").to_parquet(path, row_group_size=7),
    "long.csv": lambda frame, path: melted(frame).to_csv(path, index=False),
    "numbered.csv": lambda frame, path: melted(frame).to_csv(path),
    "long.parquet": lambda frame, path: melted(frame).to_parquet(path),
    "shuffled.csv": lambda frame, path: melted(frame).sample(frac=1, random_state=1).to_csv(path, index=False),
    "names.csv": lambda frame, path: (
        melted(frame).set_axis(["Date Time", "Consumer ID", "Energy (kWh)"], axis=1).to_csv(path, index=False)
    ),
    "category.parquet": lambda frame, path: melted(frame).astype({"meter": "category"}).to_parquet(path),
    "wh.csv": lambda frame, path: (
        melted(frame).assign(Wh=lambda rows: rows.pop("kwh") * 1000).to_csv(path, index=False)
    ),
    "zoned.csv": lambda frame, path: frame.tz_localize("UTC").tz_convert("Asia/Tokyo").to_csv(path),
    "seconds.parquet": lambda frame, path: (
        melted(frame)
        .assign(timestamp=lambda rows: rows["timestamp"].astype("datetime64[s]").astype("int64"))
        .to_parquet(path)
    ),
    "two_columns.csv": lambda frame, path: (
        melted(frame)
        .assign(
            date=lambda rows: rows["timestamp"].dt.date, time=lambda rows: rows.pop("timestamp").dt.strftime("%H:%M")
        )
        .to_csv(path, index=False)
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_readings_come_out_of_every_shape(name, tmp_path):
    frame = make_frame()
    WRITERS[name](frame, tmp_path / name)
    (window,) = read_readings([tmp_path / name]).windows
    assert window.meters.tolist() == ["M0", "M1", "M2"]
    assert str(window.first_day) == "2026-01-05"
    np.testing.assert_allclose(window.kwh, curves(frame), atol=1e-6)


@pytest.mark.parametrize("write", [lambda f, p: f.to_csv(p, index=False), lambda f, p: f.to_parquet(p)])
def test_a_row_per_meter_and_a_column_per_day_are_daily_readings(write, tmp_path):
    frame = make_frame(days=40)
    write(by_day(frame).assign(FLAG=1), tmp_path / "days")
    (window,) = read_readings([tmp_path / "days"]).windows
    assert window.interval_minutes == 1440
    np.testing.assert_allclose(window.kwh[:, :, 0], curves(frame).sum(2), rtol=1e-5)


def test_a_file_without_a_meter_column_is_one_meter_of_the_files_name(tmp_path):
    make_frame(1).set_axis(["kwh"], axis=1).to_csv(tmp_path / "consumer_123.csv")
    assert read_readings([tmp_path / "consumer_123.csv"]).order == ["consumer_123"]


@pytest.mark.parametrize("given", [make_frame(), melted(make_frame()), melted(make_frame()).set_index("timestamp")])
def test_frames_are_read_like_files(given):
    np.testing.assert_allclose(read_readings([given]).windows[0].kwh, curves(make_frame()), atol=1e-6)


@pytest.mark.parametrize(
    "index",
    [lambda stamps: stamps.astype(str), lambda stamps: stamps.to_period("h"), lambda stamps: stamps.to_pydatetime()],
)
def test_the_index_of_a_frame_may_hold_times_of_any_kind(index):
    frame = make_frame()
    np.testing.assert_allclose(read_readings([frame.set_axis(index(frame.index))]).windows[0].kwh, curves(frame), 1e-6)


def test_a_frame_may_have_a_row_per_meter():
    (window,) = read_readings([make_frame(days=40).resample("D").sum().T]).windows
    assert window.kwh.shape == (3, 40, 1)


def test_daily_readings_of_civil_midnights_stay_daily_through_the_summer():
    stamps = pd.date_range("2026-03-01", periods=60, tz="Europe/Paris")
    (window,) = read_readings([pd.DataFrame({"M": np.arange(60.0)}, stamps)], timezone="Europe/Paris").windows
    np.testing.assert_array_equal(window.kwh[0, :, 0], np.arange(60))


@pytest.mark.parametrize("minutes", [15, 30, 60, 1440])
def test_the_interval_is_found_though_half_of_the_readings_are_missing(minutes):
    frame = make_frame(days=40, minutes=minutes)
    frame = frame.where(np.random.default_rng(2).random(frame.shape) < 0.5)
    (window,) = read_readings([melted(frame).dropna()]).windows
    assert window.interval_minutes == minutes
    assert np.isnan(window.kwh).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("minutes", "used"), [(5, 15), (10, 30), (20, 60), (120, 1440), (360, 1440)])
def test_other_intervals_are_summed_up_to_those_that_detectors_know(minutes, used):
    frame = make_frame(minutes=minutes)
    readings = read_readings([frame])
    assert readings.windows[0].interval_minutes == used
    np.testing.assert_allclose(
        readings.windows[0].kwh, curves(frame, minutes).reshape(3, 4, 1440 // used, -1).sum(3), 1e-5
    )
    assert "summed_up" in readings.notes.counts


def test_meters_of_several_intervals_come_in_a_window_each():
    frame = make_frame(4, days=30, minutes=30)
    frame.iloc[1::2, 0] = np.nan
    frame.iloc[np.arange(len(frame)) % 48 != 0, 1] = np.nan
    readings = read_readings([frame])
    assert [(w.interval_minutes, w.meters.tolist()) for w in readings.windows] == [
        (30, ["M2", "M3"]), (60, ["M0"]), (1440, ["M1"]),
    ]  # fmt: skip
    assert readings.order == ["M0", "M1", "M2", "M3"]
    assert "daily" in readings.notes.sentences()[0]


def test_a_meter_that_changed_its_interval_is_summed_up_to_the_longer_one():
    fine = make_frame(1, days=30, minutes=30)
    hourly = fine.resample("60min").sum()
    sent = pd.concat([hourly[:240], fine[480:]])
    (window,) = read_readings([melted(sent)]).windows
    np.testing.assert_allclose(window.kwh, curves(hourly), atol=1e-6)


def test_months_in_several_files_are_joined(tmp_path):
    frame = make_frame(days=60)
    paths = [tmp_path / "a.csv", tmp_path / "b.parquet"]
    frame[:700].to_csv(paths[0])
    melted(frame[600:]).to_parquet(paths[1])
    readings = read_readings(paths)
    np.testing.assert_allclose(readings.windows[0].kwh, curves(frame), atol=1e-6)
    assert readings.notes.counts["repeated"] == 300


def test_neither_rows_nor_columns_nor_files_change_anything_by_their_order(tmp_path):
    frame = make_frame(5, days=20)
    frame.iloc[3:9, 2] = np.nan
    twice = pd.concat([frame, frame[:50] * 2])
    first = read_readings([twice, make_frame(2, days=9).add_prefix("N")])
    mixed = twice.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2)
    second = read_readings([melted(make_frame(2, days=9).add_prefix("N")), mixed])
    np.testing.assert_array_equal(first.windows[0].kwh, second.windows[0].kwh)
    assert first.windows[0].meters.tolist() == second.windows[0].meters.tolist()


def test_what_no_meter_can_have_measured_counts_as_missing():
    frame = make_frame()
    frame.iloc[0] = [-1, 1e9, np.inf]
    readings = read_readings([frame])
    assert np.isnan(readings.windows[0].kwh[:, 0, 0]).all()
    assert readings.notes.counts == {"negative": 1, "absurd": 2}


def test_a_lonely_stamp_far_away_does_not_stretch_the_window():
    rows = melted(make_frame(days=30))
    rows.loc[0, "timestamp"] = pd.Timestamp("1971-01-01")
    readings = read_readings([rows])
    assert readings.windows[0].days == 30
    assert readings.notes.counts["far_away"] == 1


def test_only_the_last_days_are_kept_when_asked_for():
    readings = read_readings([make_frame(days=30)], days=10)
    assert (str(readings.windows[0].first_day), readings.windows[0].days) == ("2026-01-25", 10)


def test_columns_and_rows_that_are_no_meters_are_named():
    frame = make_frame().assign(comment="checked", nothing=None)
    frame.columns = ["M0", "M1", "M1", "comment", "nothing"]
    readings = read_readings([frame])
    assert readings.order == ["M0", "M1", "nothing"]
    assert set(readings.notes.counts) >= {"repeated_meter", "no_numbers", "no_values"}


def test_texts_among_the_numbers_are_counted(tmp_path):
    frame = make_frame().astype(object)
    frame.iloc[5, 1] = "error"
    frame.to_csv(tmp_path / "wide.csv")
    readings = read_readings([tmp_path / "wide.csv"])
    assert np.isnan(readings.windows[0].kwh).sum() == 1
    assert readings.notes.counts["not_a_number"] == 1


def test_lines_of_the_wrong_length_are_left_out(tmp_path):
    text = make_frame().to_csv().splitlines()
    text[7] += ",1,2"
    (tmp_path / "wide.csv").write_text("\n".join(text))
    readings = read_readings([tmp_path / "wide.csv"])
    assert readings.notes.counts["bad_row"] == 1
    assert np.isnan(readings.windows[0].kwh).sum() == 3


@pytest.mark.parametrize("name", ["Zürich 1", "電表", "a.b", "a,b", '"quoted"', "007", " padded ", "-1", "x" * 300])
def test_any_name_survives(name, tmp_path):
    make_frame(2).set_axis([name, "M"], axis=1).to_csv(tmp_path / "wide.csv")
    make_frame(2).set_axis([name, "M"], axis=1).to_parquet(tmp_path / "wide.parquet")
    for path in tmp_path.iterdir():
        assert read_readings([path]).order == [name.strip(), "M"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_encoding_of_names_is_found_out(encoding, tmp_path):
    (tmp_path / "wide.csv").write_bytes("timestamp,Zürich\n2026-01-01 00:00,1\n2026-01-01 01:00,2".encode(encoding))
    assert read_readings([tmp_path / "wide.csv"]).order == ["Zürich"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"  \n\n", "empty"),
        (b"PK\x03\x04rest", "Excel"),
        (b"\0\1\2\3", "no text"),
        (b"PAR1nonsense", "not a readable Parquet"),
        (b"meter,kwh\nM1,2\n", "no column holds the time"),
        (b"a,b\n1,2\n", "no column holds the time (such as timestamp) and the reading"),
        (b"meter,timestamp,kwh\n", "no meter is named"),
        (b"meter,timestamp,kwh\nM1,soon,1\n", "no row has a readable time"),
        (b'{"meter": 1}', "JSON"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(content, says, tmp_path):
    (tmp_path / "file.csv").write_bytes(content)
    with pytest.raises(InputError, match=says.replace("(", r"\(").replace(")", r"\)")):
        read_readings([tmp_path / "file.csv"])


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv: cannot be opened"):
        read_readings([tmp_path / "gone.csv"])


def test_notes_count_in_words():
    notes = Notes()
    for name in "abcde":
        notes.add("repeated_meter", example=name)
    assert notes.sentences() == ["5 meters come twice in one file and are joined: a, b, c, ..."]
    assert notes.as_dict()["repeated_meter"]["count"] == 5


@pytest.mark.skipif(not DATA.is_dir(), reason="no real curves on this machine")
@pytest.mark.parametrize(
    ("path", "timezone", "shape"),
    [
        ("uk_edrp_622/consumption_30min_kwh.parquet", "Europe/London", (622, 92, 48)),
        ("au_sgsc_50/general_supply_30min_kwh.parquet", "Australia/Sydney", (50, 753, 48)),
    ],
)
def test_the_real_curves_are_read_as_they_are(path, timezone, shape):
    readings = read_readings([DATA / path], timezone=timezone)
    (window,) = readings.windows
    assert window.kwh.shape == shape
    assert not readings.notes.counts
    frame = pd.read_parquet(DATA / path)
    assert np.isfinite(window.kwh).sum() == frame.notna().sum().sum()
