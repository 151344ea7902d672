"""Filters of the API's lists that lie in zones."""

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django_filters.fields import ModelChoiceField
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from apps.grid.models import Zone

NAMED_AT_MOST = 30


class Text(django_filters.CharFilter):
    def filter(self, queryset, value):
        return super().filter(queryset, value.replace("\0", "") if value else value)


class ZoneField(ModelChoiceField):
    """A zone by its code, or by a name that only one has."""

    def to_python(self, value) -> Zone | None:
        text = str(value or "").replace("\0", "").strip()
        if not text:
            return None
        found = list(self.queryset.filter(Q(code=text) | Q(name__iexact=text)))
        found = [zone for zone in found if zone.code == text] or found
        if len(found) == 1:
            return found[0]
        raise ValidationError(self._several(text, found) if found else self._none(text))

    def _several(self, text: str, found: list[Zone]) -> str:
        codes = ", ".join(zone.code for zone in found)
        return _("Several zones are called “%(text)s”: say which by its code (%(codes)s).") % {
            "text": text,
            "codes": codes,
        }

    def _none(self, text: str) -> str:
        codes = list(self.queryset.values_list("code", flat=True)[: NAMED_AT_MOST + 1])
        named = ", ".join([*codes[:NAMED_AT_MOST], *(["…"] if len(codes) > NAMED_AT_MOST else [])])
        return _("“%(text)s” is no zone that you see. There are: %(codes)s.") % {"text": text, "codes": named or "–"}


def seen_zones(request) -> QuerySet[Zone]:
    if request is None or not request.user.is_authenticated:  # the API's description is made without anybody asking
        return Zone.objects.none()
    return Zone.objects.visible_to(request.user).defer("area").order_by("code")


@extend_schema_field(OpenApiTypes.STR)
class InZone(django_filters.ModelChoiceFilter):
    """What lies in a zone; one that nobody knows is refused rather than found empty."""

    field_class = ZoneField

    def __init__(self, field_name: str):
        text = "Code of a zone that you see, or its name where only one has it."
        super().__init__(field_name, queryset=seen_zones, help_text=text)

    def filter(self, queryset, zone: Zone | None):
        return queryset.filter(**{self.field_name: zone.pk}) if zone else queryset
