"""How sure a reading is: a flag for each slot of a day, as the sender marked it. No flags at all: all is measured."""

import numpy as np
from django.db import models
from django.utils.translation import gettext_lazy as _


class Quality(models.IntegerChoices):
    MEASURED = 0, _("measured")
    ESTIMATED_BY_SENDER = 1, _("estimated by the sender")  # substituted values too, final or not
    SUSPECT = 2, _("suspect")
    EDITED = 3, _("edited")


def is_made_up(quality: np.ndarray) -> np.ndarray:
    """Slots whose value no meter said. A suspect one was said, and what makes it suspect may be the very theft."""
    return (quality == Quality.ESTIMATED_BY_SENDER) | (quality == Quality.EDITED)


def worse(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The flag of what is made of two readings: one that no meter said spoils the other."""
    keep = is_made_up(one) | ((other == Quality.MEASURED) & ~is_made_up(other))
    return np.where(keep, one, other)
