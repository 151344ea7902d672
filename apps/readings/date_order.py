"""Which number of a date such as 3/4/2026 is the month, and how that is known."""

from dataclasses import dataclass
from typing import Self

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Order(TextChoices):
    DAY_FIRST = "day_first", _("day first: 3/4/2026 is the 3rd of April")
    MONTH_FIRST = "month_first", _("month first: 3/4/2026 is the 4th of March")


class Why(TextChoices):
    STATED = "stated", _("as it was stated")
    SEEN = "seen", _("seen in the file: some of its dates work only this way")
    REMEMBERED = "remembered", _("as in earlier files of this sender; no date of this one says otherwise")
    LIKELY = "likely", _("likely: otherwise its days would lie in the future, or its hours on one day of each month")
    GUESSED = "guessed", _("guessed as people write where the utility is: nothing in the file tells")


@dataclass(frozen=True)
class DateOrder:
    order: Order
    why: Why

    @classmethod
    def of(cls, said: dict[str, str]) -> Self | None:
        """As a statement has it; nothing where it does not speak of it."""
        return cls(Order(said["date_order"]), Why(said.get("date_order_why") or Why.STATED)) if _says(said) else None

    @classmethod
    def remembered(cls, said: dict[str, str]) -> Self | None:
        return cls(Order(said["date_order"]), Why.REMEMBERED) if _says(said) else None

    @property
    def is_month_first(self) -> bool:
        return self.order == Order.MONTH_FIRST

    @property
    def is_known(self) -> bool:
        """By more than what is usual: another file of the sender may be read by it."""
        return self.why in {Why.STATED, Why.SEEN, Why.REMEMBERED}

    def as_dict(self) -> dict[str, str]:
        return {"date_order": str(self.order), "date_order_why": str(self.why)}


NONE = {"date_order": "", "date_order_why": ""}


def _says(said: dict[str, str]) -> bool:
    return bool(said.get("date_order"))


def order_of(month_first: bool) -> Order:
    return Order.MONTH_FIRST if month_first else Order.DAY_FIRST
