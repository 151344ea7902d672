import json
from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from apps.cases import actions
from apps.detection.models import Evaluation
from tests import factories
from tests.overview.test_pages import QUERIES, text_of


def figure(value):
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


SUMMARY = {
    "data": "own simulator on 30 held-back meters",
    "cases": 1500,
    "households": 30,
    "prevalence": 0.05,
    "look_alike_share": 0.15,
    "headline": {"auc": figure(0.95), "detected_fpr5": figure(0.81)},
    "plain_rule": {"auc": figure(0.79), "detected_fpr5": figure(0.4)},
    "roc": [[0.0, 0.5], [1.0, 1.0]],
    "precision_recall": [[0.5, 1.0], [1.0, 0.05]],
    "confusion": {
        "visited_share": 0.05,
        "score": 0.7,
        "found": 38.3,
        "missed": 11.7,
        "visited_in_vain": 12,
        "left_alone": 938,
    },
    "budget": [{"visited_share": 0.05, "precision": 0.77, "recall": 0.76, "energy_share": 0.8, "kwh_per_visit": 76.6}],
    "by_attack": [
        {"kind": "scaled", "family": "reduce", "cases": 30, "auc": 0.97, "detected": 0.83, "plain_rule": 0.4}
    ],
    "by_look_alike": [{"kind": "new_tenant", "cases": 30, "false_alarms": 0.07, "plain_rule": 0.1}],
    "calibration": {"prevalence": 0.05, "points": [{"predicted": 0.1, "observed": 0.12, "share": 1.0}], "brier": 0.1},
    "importance": [{"name": "level_14", "share": 0.75}],
    "models": [{"name": "plain_rule", "title": "plain rule", "headline": {"auc": figure(0.79)}}],
    "audit": [{"name": "identity_attack", "value": "0.502", "passed": True}],
}


@pytest.fixture
def judged(db):
    return factories.ModelVersionFactory(held_out=SUMMARY)


@pytest.fixture(autouse=True)
def as_ana(client, ana):
    client.force_login(ana)


def page(client, query=""):
    return client.get(reverse("analytics") + query)


def test_the_active_model_s_evaluation_stands_beside_the_plain_rule(client, judged, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        text = text_of(page(client).content.decode())
    for words in [
        "0.95",
        "0.79",
        "the meter counts a fixed part",
        "new tenant",
        "level 14",
        "identity attack",
        "passed",
        "938",
    ]:
        assert words in text
    assert "None" not in text


def test_without_any_evaluation_the_page_says_where_one_comes_from(client, db):
    assert "No evaluation to show" in page(client).content.decode()
    factories.ModelVersionFactory()
    assert "No evaluation to show" in page(client, "?model=99999999999999999999&report=x").content.decode()


def test_a_summary_without_calibration_or_importance_leaves_them_out(client, db):
    factories.ModelVersionFactory(held_out=SUMMARY | {"calibration": None, "importance": [], "plain_rule": None})
    text = text_of(page(client).content.decode())
    assert "Calibration" not in text
    assert "importance" not in text
    assert "None" not in text


def test_field_results_are_those_of_cases_that_the_model_opened(client, ana, judged):
    run = factories.ScoringRunFactory(model_version=judged)
    other = factories.ScoringRunFactory(model_version=factories.ModelVersionFactory(status="retired"))
    for scored_in, outcome in [(run, "bypass"), (run, "nothing_found"), (run, "no_access"), (other, "bypass")]:
        case = factories.CaseFactory(score__run=scored_in)
        actions.close(case=case, outcome=outcome, by=ana, inspected_on=date(2026, 4, 2))
    field = page(client).context["field"]
    assert (field.whole.finds, field.whole.visits) == (1, 2)
    assert field.whole.low < 0.5 < field.whole.high
    assert [month.first_day for month in field.months] == [date(2026, 4, 1)]
    assert sum(many for _outcome, many in field.outcomes) == 3


def test_a_report_is_loaded_by_command_and_shown(client, db, tmp_path):
    file = tmp_path / "evaluation.json"
    file.write_text(json.dumps(SUMMARY))
    call_command("load_evaluation", file, name="Release 1, UK households", verbosity=0)
    assert b"Release 1, UK households" in page(client).content
    report = Evaluation.objects.get()
    assert b"0.95" in page(client, f"?report={report.pk}").content


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", '{"studies": {}}'])
def test_a_file_that_is_no_report_is_refused(db, tmp_path, content):
    file = tmp_path / "evaluation.json"
    file.write_text(content)
    with pytest.raises(CommandError):
        call_command("load_evaluation", file)


def test_a_missing_library_is_said_on_the_page_of_models(client, monkeypatch):
    from apps.detection import models_on_disk

    monkeypatch.setitem(models_on_disk.LIBRARIES, "no_such_library", ["lstm"])
    text = text_of(client.get(reverse("model_list")).content.decode())
    assert "no_such_library" in text
    assert "stopped following its past" in text
