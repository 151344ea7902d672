import pytest
from django.db import IntegrityError

from apps.cases.models import Case
from tests import factories


def test_the_database_refuses_a_second_open_case(case):
    with pytest.raises(IntegrityError, match="one_open_case_per_consumer"):
        factories.CaseFactory(consumer=case.consumer, score=case.score)


def test_the_database_refuses_a_closed_case_without_an_outcome(case):
    case.status = Case.Status.CLOSED
    with pytest.raises(IntegrityError, match="closed_cases_say_when"):
        case.save()


def test_a_case_is_seen_in_its_zone_only(case, ines, otto, sam):
    assert list(Case.objects.visible_to(ines)) == [case]
    assert list(Case.objects.visible_to(otto)) == []
    assert list(Case.objects.visible_to(sam)) == [case]
