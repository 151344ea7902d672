"""What two workers, or a worker and a person, do at the same moment."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from apps.cases import actions, workflow
from apps.cases.models import Case
from apps.inspections.models import Outcome
from tests import factories
from tests.threads import meanwhile

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_openers_do_not_spend_the_budget_twice():
    north = factories.ZoneFactory(visits_per_week=1)
    for _consumer in range(3):
        factories.RiskScoreFactory(consumer__zone=north)
    with transaction.atomic():
        assert actions.open_pending() == 1
        other = meanwhile(actions.open_pending)
    assert other.result(timeout=5) == 0
    assert Case.objects.count() == 1


def test_a_case_is_not_reopened_beside_one_that_is_just_opening():
    case, sam = factories.CaseFactory(), factories.UserFactory()
    actions.close(case=case, outcome=Outcome.NOTHING_FOUND, by=sam)
    factories.RiskScoreFactory(consumer=case.consumer, onset_on=timezone.localdate() + timedelta(days=3))
    with transaction.atomic():
        assert actions.open_pending() == 1
        reopening = meanwhile(lambda: actions.reopen(case=case, by=sam))
    assert isinstance(reopening.exception(timeout=5), workflow.MoveNotAllowed)
