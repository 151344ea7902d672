from datetime import date

import numpy as np
import pandas as pd
import pytest

from ml.tables import InputError, Notes, read_outcomes, read_readings
from tests.ml.tables.test_curves import curves, make_frame


def make_grid(meters=6, per_transformer=3) -> pd.DataFrame:
    names = [f"M{number}" for number in range(meters)]
    return pd.DataFrame({"meter": names, "transformer": [f"T{n // per_transformer}" for n in range(meters)]})


def make_sums(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"T0": frame.iloc[:, :3].sum(axis=1), "T1": frame.iloc[:, 3:].sum(axis=1)})


def test_neighbours_hang_on_the_same_transformer():
    readings = read_readings([make_frame(7)], make_grid())
    assert readings.windows[0].peer_group.tolist() == [0, 0, 0, 1, 1, 1, -1]
    assert readings.notes.counts == {"grid_unknown": 1}


def test_sums_stand_beside_the_meters_that_they_deliver_to():
    frame = make_frame(6)
    (window,) = read_readings([frame], make_grid(), make_sums(frame)[["T1", "T0"]]).windows
    assert window.sum_row.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(window.sums, curves(make_sums(frame)), rtol=1e-5)


def test_finer_sums_of_other_days_are_brought_to_the_meters():
    fine = make_frame(6, days=10, minutes=15)
    sums = make_sums(fine)
    (window,) = read_readings([fine[192:480].resample("60min").sum()], make_grid(), sums[:384]).windows
    np.testing.assert_allclose(window.sums[:, :2], curves(sums, 15)[:, 2:4].reshape(2, 2, 24, 4).sum(3), rtol=1e-5)
    assert np.isnan(window.sums[:, 2]).all()


def test_coarser_sums_are_left_out_and_said_so():
    frame = make_frame(6, days=30)
    readings = read_readings([frame], make_grid(), make_sums(frame).resample("D").sum())
    assert readings.windows[0].sums is None
    assert readings.notes.counts["sums_too_coarse"] == 2


def test_sums_without_meters_are_left_out_and_said_so():
    frame = make_frame(6)
    readings = read_readings([frame], make_grid(), make_sums(frame).assign(T9=1.0))
    assert len(readings.windows[0].sums) == 2
    assert "T9" in readings.notes.sentences()[0]


def test_sums_without_a_grid_are_left_out_and_said_so():
    readings = read_readings([make_frame(6)], sums=make_sums(make_frame(6)))
    assert readings.windows[0].sums is None
    assert readings.notes.counts == {"sums_without_grid": 1}


def test_a_transformer_with_a_missing_meter_has_no_balance():
    frame = make_frame(6)
    readings = read_readings([frame.drop(columns="M4")], make_grid(), make_sums(frame))
    assert readings.windows[0].sum_row.tolist() == [0, 0, 0, -1, -1]
    assert readings.notes.counts == {"grid_only": 1, "incomplete": 1}


@pytest.mark.parametrize("header", ["meter,transformer", "transformer_id;meter_id", "x,y", "NMI,Substation"])
def test_a_grid_file_may_name_its_columns_in_other_words(header, tmp_path):
    separator = ";" if ";" in header else ","
    lines = [separator.join(("T1", "M1") if header.startswith("trans") else ("M1", "T1"))]
    (tmp_path / "grid.csv").write_text("\n".join([header, *lines]))
    assert read_readings([make_frame(2)], tmp_path / "grid.csv").windows[0].peer_group.tolist() == [-1, 0]


def test_a_grid_file_without_such_columns_is_refused(tmp_path):
    (tmp_path / "grid.csv").write_text("a,b,c\n1,2,3\n")
    with pytest.raises(InputError, match="needs the columns meter and transformer"):
        read_readings([make_frame(2)], tmp_path / "grid.csv")


def test_an_unknown_timezone_is_refused():
    with pytest.raises(InputError, match="Europe/London"):
        read_readings([make_frame()], timezone="Europe/Atlantis")


def test_the_latest_visit_that_could_tell_counts():
    notes = Notes()
    visits = pd.DataFrame(
        [
            ("M1", "bypass", "2026-01-02"), ("M1", "nothing_found", "2026-03-01"), ("M1", "no_access", "2026-04-01"),
            ("M2", "Meter Tampering", ""), ("M3", "vacant", ""), ("M4", "what?", ""), ("M9", "bypass", ""),
        ],
        columns=["meter", "outcome", "day"],
    )  # fmt: skip
    assert read_outcomes(visits, ["M1", "M2", "M3", "M4"], notes) == {
        "M1": (False, date(2026, 3, 1)), "M2": (True, None), "M3": (False, None),
    }  # fmt: skip
    assert notes.counts == {"outcome_unknown": 1, "outcome_silent": 1, "outcome_elsewhere": 1}
