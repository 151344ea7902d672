from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.conf import settings
from django.contrib import admin
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from leaflet.admin import LeafletGeoAdmin

from apps.accounts.admin import UserAdmin
from apps.grid.models import (
    Connection,
    Consumer,
    Contract,
    Feeder,
    Installation,
    Meter,
    Supply,
    Transformer,
    Zone,
    ZoneAssignment,
)

# The drawing widget of django-leaflet writes inline scripts. Only the few forms that draw get them.
DRAWING_POLICY = {**settings.CONTENT_SECURITY_POLICY["DIRECTIVES"], "script-src": [SELF, UNSAFE_INLINE]}


@method_decorator(csp_replace(DRAWING_POLICY), name="changeform_view")
class MapAdmin(LeafletGeoAdmin):
    # Without a tile server there is nothing to ask tiles from; the coordinates can be read and pasted.
    settings_overrides = {} if settings.MAP_TILES_URL else {"TILES": []}
    display_raw = True


class ZoneAssignmentInline(admin.TabularInline):
    model = ZoneAssignment
    extra = 0
    autocomplete_fields = ["zone"]


# Users are declared below the grid and do not know zones; who looks after what is edited with the person.
UserAdmin.inlines = [ZoneAssignmentInline]


@admin.register(Zone)
class ZoneAdmin(MapAdmin):
    list_display = ["name", "code", "price_per_kwh", "visits_per_week"]
    search_fields = ["name", "code"]


@admin.register(ZoneAssignment)
class ZoneAssignmentAdmin(admin.ModelAdmin):
    list_display = ["user", "zone"]
    list_filter = ["zone"]
    list_select_related = ["user", "zone"]
    autocomplete_fields = ["user", "zone"]


@admin.register(Feeder)
class FeederAdmin(MapAdmin):
    list_display = ["code", "zone"]
    list_filter = ["zone"]
    list_select_related = ["zone"]
    search_fields = ["code"]
    autocomplete_fields = ["zone"]


@admin.register(Transformer)
class TransformerAdmin(MapAdmin):
    list_display = ["code", "feeder", "capacity_kva", "sum_meter"]
    list_select_related = ["feeder", "sum_meter"]
    list_filter = ["feeder__zone"]
    search_fields = ["code"]
    autocomplete_fields = ["feeder", "sum_meter"]


class LinkInline(admin.TabularInline):
    extra = 0

    def get_queryset(self, request):
        return super().get_queryset(request).order_by("-valid")


class InstallationInline(LinkInline):
    model = Installation
    autocomplete_fields = ["meter", "consumer"]


class SupplyInline(LinkInline):
    model = Supply
    autocomplete_fields = ["contract", "consumer"]


class ConnectionInline(LinkInline):
    model = Connection
    autocomplete_fields = ["transformer"]


@admin.register(Meter)
class MeterAdmin(admin.ModelAdmin):
    list_display = ["serial", "kind", "closed_on"]
    list_filter = ["kind"]
    search_fields = ["serial"]
    inlines = [InstallationInline]

    def has_delete_permission(self, request, obj=None):
        """Meters are closed, never deleted."""
        return False


@admin.register(Consumer)
class ConsumerAdmin(MapAdmin):
    list_display = ["number", "name", "address", "kind", "zone", "has_place"]
    list_filter = ["zone", "kind", ("place", admin.EmptyFieldListFilter)]
    list_select_related = ["zone"]
    search_fields = ["number", "name", "address"]
    autocomplete_fields = ["zone"]
    inlines = [InstallationInline, SupplyInline, ConnectionInline]

    def get_queryset(self, request):
        return super().get_queryset(request).filter(pk__in=Consumer.objects.visible_to(request.user).values("pk"))

    @admin.display(boolean=True, description=_("has a place"))
    def has_place(self, consumer: Consumer) -> bool:
        return consumer.place is not None


@admin.register(Contract)
class ContractAdmin(admin.ModelAdmin):
    list_display = ["number", "tariff"]
    search_fields = ["number", "tariff"]
    inlines = [SupplyInline]
