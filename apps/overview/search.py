"""Finding consumers by number, name, address, meter, level and place."""

from math import cos, radians

import django_filters as filters
from django import forms
from django.contrib.gis.geos import Point, Polygon
from django.contrib.gis.measure import D
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.cases.models import Case
from apps.detection.models import RiskLevel
from apps.grid.models import Consumer, Installation, Zone
from apps.overview.places import BadQuestion, read_box

METRES_A_DEGREE = 111_320  # of latitude
WITHIN_METRES = 250


class PointField(forms.CharField):
    """ "longitude,latitude" in degrees."""

    def clean(self, value):
        text = super().clean(value)
        if not text:
            return None
        try:
            longitude, latitude = (float(part) for part in text.split(","))
        except ValueError as error:
            raise forms.ValidationError(_("Write the point as longitude,latitude.")) from error
        if not (-180 <= longitude <= 180 and -90 < latitude < 90):
            raise forms.ValidationError(_("There is no such place."))
        return Point(longitude, latitude, srid=4326)


class BoxField(forms.CharField):
    def clean(self, value):
        text = super().clean(value)
        try:
            return Polygon.from_bbox(read_box(text)) if text else None
        except BadQuestion as error:
            raise forms.ValidationError(str(error)) from error


class PointFilter(filters.Filter):
    field_class = PointField


class BoxFilter(filters.Filter):
    field_class = BoxField


class ConsumerFilter(filters.FilterSet):
    q = filters.CharFilter(method="search", label=_("Search"))
    level = filters.ChoiceFilter(
        "standing__score__level", choices=RiskLevel.choices, empty_label=_("Any level"), label=_("Level")
    )
    zone = filters.ModelChoiceFilter(
        "zone",
        queryset=lambda request: Zone.objects.visible_to(request.user).defer("area"),
        to_field_name="code",
        empty_label=_("Any zone"),
        label=_("Zone"),
    )
    near = PointFilter(method="around", label=_("Around the point"))
    within = filters.NumberFilter(method="take_no_part", min_value=1, max_value=20_000, label=_("Within, m"))
    box = BoxFilter("place", lookup_expr="bboverlaps", label=_("Inside the box"))
    placed = filters.ChoiceFilter(
        method="without_place", choices=[("no", _("Without a place"))], empty_label=_("Anywhere"), label=_("Place")
    )

    class Meta:
        model = Consumer
        fields: list[str] = []

    def search(self, consumers, name, value):
        by_meter = Installation.objects.filter(meter__serial__icontains=value).values("consumer")
        return consumers.filter(
            Q(number__icontains=value) | Q(name__icontains=value) | Q(address__icontains=value) | Q(pk__in=by_meter)
        )

    def around(self, consumers, name, point):
        metres = float(self.form.cleaned_data.get("within") or WITHIN_METRES)
        # The index knows boxes of degrees; the distance is then measured on what is left.
        return consumers.filter(
            place__dwithin=(point, degrees(metres, point.y)), place__distance_lte=(point, D(m=metres))
        )

    def without_place(self, consumers, name, value):
        return consumers.filter(place=None)

    def take_no_part(self, consumers, name, value):
        return consumers


def degrees(metres: float, latitude: float) -> float:
    """At least as many degrees as the distance spans there in any direction."""
    return metres / METRES_A_DEGREE / max(0.05, cos(radians(latitude)))


def for_list(user: User) -> QuerySet[Consumer]:
    """Consumers with the score that stands and `open_case`, worst first."""
    open_case = Case.objects.not_closed().filter(consumer=OuterRef("pk")).values("pk")
    return (
        Consumer.objects.visible_to(user)
        .select_related("zone", "standing__score")
        .defer("zone__area")
        .annotate(open_case=Subquery(open_case))
        .order_by(F("standing__score__score").desc(nulls_last=True), "number")
    )
