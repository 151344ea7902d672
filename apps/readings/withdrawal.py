"""Taking back an upload that was wrong: what it said goes, and what the others say of the same days comes back.

The days that it ever touched are merged anew from the other uploads, as if this one had never come. Its own raw file
stays, and with it the way back: importing it again.
"""

import math

import numpy as np
from django.db import connection, transaction
from django.utils.translation import gettext as _

from apps.readings import billing, events
from apps.readings.merge import Merge, raise_revisions
from apps.readings.models import HeldMeter, RegisterRead, Upload
from apps.readings.profiles import EPOCH
from apps.readings.progress import Progress
from apps.readings.remerging import Days
from apps.readings.series import DAY

TOUCHED = """
SELECT channel, meter_id, day - %(epoch)s, cardinality(kwh) FROM readings_loadprofile
WHERE upload_id = %(upload)s AND day BETWEEN %(first_day)s AND %(last_day)s
UNION
SELECT channel, meter_id, day - %(epoch)s, cardinality(kwh) FROM readings_loadprofilerevision
WHERE upload_id = %(upload)s OR replaced_by_id = %(upload)s
"""
# A meter without any reading left keeps the days that it had: its score then says that there is nothing to go by.
LEFT_OVER = """
SELECT meter_id, min(day), max(day), array_agg(DISTINCT 1440 / cardinality(kwh)) FROM readings_loadprofile
WHERE meter_id = ANY(%(meters)s) AND 'NaN' <> ANY (kwh) GROUP BY meter_id
"""
BOUND_STATES = """
WITH left_over AS (
    SELECT * FROM unnest(%(meters)s::bigint[], %(first_days)s::date[], %(last_days)s::date[], %(intervals)s::int[])
                  AS given (meter_id, first_day, last_day, interval_minutes)
),
-- Estimates of whole days, made while the meter was known by a wider interval; validation makes them anew.
gone AS (
    DELETE FROM readings_loadprofile profile USING left_over
    WHERE profile.meter_id = left_over.meter_id AND 'NaN' = ALL (profile.kwh)
      AND 1440 / cardinality(profile.kwh) > left_over.interval_minutes
)
UPDATE readings_meterstate state
SET first_day = left_over.first_day, last_day = left_over.last_day, interval_minutes = left_over.interval_minutes
FROM left_over WHERE state.meter_id = left_over.meter_id
"""


def run(upload: Upload, progress: Progress) -> bool:
    """Withdraw a claimed upload. Raises FileFault where another upload's raw file is needed and cannot be read. False:
    somebody else was first."""
    with transaction.atomic():
        upload = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if upload.status != Upload.Status.PENDING or upload.withdrawn_at is None:
            return False
        progress.say(0, _("Taking back what it brought"))
        merge = Merge(upload.pk, np.unique(touched(upload)[1]).tolist(), keep_replaced=False)
        # Once more: an import may have come between, and now none can.
        channels, meters, days, slots = touched(upload)
        reads = RegisterRead.objects.filter(upload=upload)
        periods = list(reads.values_list("meter", "channel", "start", "end"))
        gone = Days(channels, meters, days).beside(periods, events.withdraw(upload))
        gone.take_out(merge)
        reads.delete()
        HeldMeter.objects.filter(upload=upload).delete()
        gone.merge_anew(gone.uploads(), progress)  # without this one, which is not imported any more
        for width in np.unique(slots):
            raise_revisions(meters[slots == width], days[slots == width], DAY // int(width))
        if gone.periods:
            billing.raise_revisions(*np.array(sorted(gone.periods))[:, [0, 2, 3]].T)
        bound_states(np.unique(meters).tolist())
        upload.status, upload.error = Upload.Status.WITHDRAWN, ""
        upload.save(update_fields=["status", "error"])
    return True


def bound_states(meters: list[int]) -> None:
    """First and last day of meters and the interval that all their days fit, by what is left of their readings."""
    with connection.cursor() as cursor:
        cursor.execute(LEFT_OVER, {"meters": meters})
        left = cursor.fetchall()
        if left:
            ids, first_days, last_days, intervals = map(list, zip(*left, strict=True))
            common = [math.lcm(*minutes) for minutes in intervals]
            cursor.execute(
                BOUND_STATES, {"meters": ids, "first_days": first_days, "last_days": last_days, "intervals": common}
            )


def touched(upload: Upload) -> np.ndarray:
    """(4, R): channel, meter id, day since 1970 and slots of each day that the upload ever had a part in."""
    days = {"first_day": upload.first_day or EPOCH, "last_day": upload.last_day or EPOCH}
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED, {"upload": upload.pk, "epoch": EPOCH, **days})
        return np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 4).T
