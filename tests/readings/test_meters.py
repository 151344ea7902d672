"""Whose readings somebody with zones of their own may send."""

from datetime import date

import pytest
from django.db.backends.postgresql.psycopg_any import DateRange

from apps.readings import meters
from tests import factories

pytestmark = pytest.mark.django_db
GONE = DateRange(None, date(2026, 4, 1))


def test_late_readings_of_a_replaced_meter_are_still_of_its_zone(ines, otto, consumer):
    factories.InstallationFactory(consumer=consumer, meter__serial="OLD", valid=GONE)
    factories.InstallationFactory(consumer=consumer, meter__serial="NEW", valid=DateRange(date(2026, 4, 1), None))
    assert meters.foreign(["OLD", "NEW", "UNKNOWN"], ines).tolist() == [False, False, False]
    assert meters.foreign(["OLD", "NEW", "UNKNOWN"], otto).tolist() == [True, True, False]


def test_a_meter_that_went_on_to_another_zone_is_of_that_zone(ines, otto, consumer, south):
    meter = factories.InstallationFactory(consumer=consumer, meter__serial="M", valid=GONE).meter
    factories.InstallationFactory(meter=meter, consumer__zone=south, valid=DateRange(date(2026, 4, 1), None))
    assert meters.foreign(["M"], ines).tolist() == [True]
    assert meters.foreign(["M"], otto).tolist() == [False]
