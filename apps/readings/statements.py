"""What a sender says about a file: the clock of its stamps and the meaning of its values."""

from dataclasses import asdict, dataclass, field, fields
from typing import Self

from django.utils.translation import gettext as _

from apps.readings import times
from apps.readings.date_order import NONE, DateOrder, Order
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
    date_order: str = ""  # date_order.Order of dates such as 3/4/2026; empty: the file says it, or has none
    date_order_why: str = ""  # date_order.Why

    @classmethod
    def of(cls, upload: Upload) -> Self:
        return cls(**{one.name: getattr(upload, one.name) for one in fields(cls)})

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

    @property
    def order(self) -> DateOrder | None:
        return DateOrder.of(self.as_dict())

    def as_dict(self) -> dict:
        return asdict(self)

    def put(self, upload: Upload) -> None:
        """Write it down, unsaved."""
        for name, value in self.as_dict().items():
            setattr(upload, name, value)

    def to_remember(self, before: dict, *, confirmed: bool) -> dict:
        """What is remembered of the sender. Where dates do not tell their order, and nobody `confirmed` it, a sender's
        earlier files say more of it than a guess."""
        said = self.as_dict()
        if not (self.order and (confirmed or self.order.is_known)):
            said |= {name: before.get(name, "") for name in NONE}
        return said

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
        if self.date_order and self.date_order not in Order.values:
            found["date_order"] = _("Neither day_first nor month_first.")
        return found
