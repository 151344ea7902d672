"""Real input, where it is at hand. The files are unlabelled and stay where they are."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.management import call_command

from apps.readings.models import LoadProfile, MeterState, Upload
from apps.readings.profiles import read_window

DATA = Path(settings.BASE_DIR).parent / "shared" / "data"
UK = DATA / "uk_edrp_622" / "consumption_30min_kwh.parquet"
AU = DATA / "au_sgsc_50" / "general_supply_30min_kwh.parquet"
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not on this machine"),
]


def test_the_scottish_households_are_imported_with_what_is_guessed():
    call_command("import_readings", UK, verbosity=0)
    upload = Upload.objects.get()
    assert (upload.timezone, upload.stamps, upload.unit) == ("UTC", "start", "kWh")
    assert (upload.readings, upload.meters, upload.days_new, upload.rejected) == (2_746_752, 622, 57_224, 0)
    assert (upload.first_day, upload.last_day) == (date(2009, 3, 1), date(2009, 5, 31))
    assert MeterState.objects.filter(revision=1, interval_minutes=30).count() == 622


def test_the_australian_households_keep_their_gaps_and_lie_in_the_utilitys_days():
    call_command("import_readings", AU, "--timezone", "+10:00", verbosity=0)
    upload = Upload.objects.get()
    assert upload.readings == 1_450_232
    state = MeterState.objects.get(meter__serial="10006414")
    window = read_window([state.meter_id], date(2012, 2, 9), date(2012, 2, 10))
    # 08:00 at +10:00 is 22:00 of the day before in Britain.
    assert np.isfinite(window.kwh[0]).sum() == 4 + 48
    assert window.kwh[0, 0, 44] == pytest.approx(0.141)
    assert LoadProfile.objects.count() == upload.days_new
