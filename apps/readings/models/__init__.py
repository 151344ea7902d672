"""What meters said: uploads, the load profiles that they brought, meter events. Facts only; opinions live above."""

from apps.readings.models.columns import Channel, RealField
from apps.readings.models.events import EventMeaning, MeaningChange, MeterEvent
from apps.readings.models.readings import LoadProfile, LoadProfileRevision, MeterState, RegisterRead
from apps.readings.models.uploads import HeldMeter, RejectedLine, Sender, Upload, UploadProgress, upload_path
from apps.readings.models.validation import (
    Completeness,
    Estimate,
    HitCount,
    ReadingEdit,
    ValidationHit,
    ValidationRule,
    ValidationShard,
)

__all__ = [
    "Channel",
    "Completeness",
    "Estimate",
    "EventMeaning",
    "HeldMeter",
    "HitCount",
    "LoadProfile",
    "LoadProfileRevision",
    "MeaningChange",
    "MeterEvent",
    "MeterState",
    "ReadingEdit",
    "RealField",
    "RegisterRead",
    "RejectedLine",
    "Sender",
    "Upload",
    "UploadProgress",
    "ValidationHit",
    "ValidationRule",
    "ValidationShard",
    "upload_path",
]
