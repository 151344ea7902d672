def test_a_row_that_is_not_known_is_refused(run, tmp_path):
    status, _out, err = run("evaluate", "--rows", "nonsense", "--out", tmp_path)
    assert status == 1
    assert "no such row: nonsense" in err


def test_a_folder_that_is_not_there_is_refused(run, tmp_path):
    status, _out, err = run("evaluate", "--protocol", tmp_path / "gone", "--out", tmp_path)
    assert status == 1
    assert "gone" in err
