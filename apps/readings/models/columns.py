"""Columns of readings."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RealField(models.FloatField):
    """Single precision: Django's FloatField is double, which doubles the largest table."""

    def db_type(self, connection):
        return "real"


class Channel(models.IntegerChoices):
    IMPORT = 1, _("import")
    EXPORT = 2, _("export")
