"""Real curves from file to cases, where they are at hand. They are unlabelled: how many and how they read, no more."""

from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.cases import actions
from apps.cases.models import Case
from apps.detection import reasons, scoring, training
from apps.detection.models import RiskScore
from apps.grid.models import Zone

DATA = Path(settings.BASE_DIR).parent / "shared" / "data"


@pytest.mark.django_db
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not on this machine")
def test_real_households_open_no_more_cases_than_crews_can_visit(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    call_command("import_readings", *sorted(DATA.glob("*/*.parquet")), "--timezone", "UTC", verbosity=0)
    training.ask_for_first()
    training.train_pending()
    scoring.score_pending()
    opened = actions.open_pending()

    scores = RiskScore.objects.current()
    assert scores.count() == 622 + 50
    assert not scores.filter(level="unscored").exists()
    assert 0 < opened <= Zone.objects.unassigned().visit_budget
    # Untouched households: whoever scores more than a few of a hundred high has learned nothing.
    assert scores.filter(level__in=["high", "critical"]).count() < 0.05 * scores.count()
    for case in Case.objects.select_related("score"):
        assert reasons.summary(case.score)
        assert case.score.data_until.year < 2015
