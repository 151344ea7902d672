"""What a sender says about a file: the clock of its stamps and the meaning of its values."""

from dataclasses import asdict, dataclass, field
from typing import Self

from django.utils.translation import gettext as _

from apps.readings import times
from apps.readings.models import Sender, Upload

KWH = {Sender.Unit.WH: 0.001, Sender.Unit.KWH: 1.0, Sender.Unit.MWH: 1000.0, Sender.Unit.KW: 1.0}


@dataclass(frozen=True)
class Statement:
    timezone: str
    stamps: str = Sender.Stamps.START
    measures: str = Sender.Measures.INTERVAL
    unit: str = Sender.Unit.KWH
    multiplier: float = 1.0
    format: str = ""  # name of an importer; empty: found out from the content
    columns: dict = field(default_factory=dict)  # column of a table by what it holds, where the guess was corrected

    @classmethod
    def of(cls, upload: Upload) -> Self:
        return cls(
            upload.timezone, upload.stamps, upload.measures, upload.unit, upload.multiplier, upload.format,
            upload.columns,
        )  # fmt: skip

    @property
    def factor(self) -> float:
        """From the file's number to kWh; for kW to kWh of a full hour."""
        return KWH[self.unit] * self.multiplier

    @property
    def is_power(self) -> bool:
        return self.unit == Sender.Unit.KW

    @property
    def is_register(self) -> bool:
        return self.measures == Sender.Measures.REGISTER

    @property
    def is_period_end(self) -> bool:
        return self.stamps == Sender.Stamps.END

    def as_dict(self) -> dict:
        return asdict(self)

    def faults(self) -> dict[str, str]:
        """What is wrong with it, by field."""
        found = {}
        try:
            times.zone(self.timezone)
        except ValueError:
            found["timezone"] = _("Neither a time zone such as Europe/London nor an offset such as +01:00.")
        if not 0 < self.multiplier < 1e9:
            found["multiplier"] = _("A number above zero.")
        if self.is_power and self.is_register:
            found["unit"] = _("A cumulative register counts energy, not kW.")
        return found
