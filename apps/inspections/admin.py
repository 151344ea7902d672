from django.contrib import admin

from apps.inspections.models import Inspection


@admin.register(Inspection)
class InspectionAdmin(admin.ModelAdmin):
    """Past and random control visits, recorded without a case."""

    list_display = ["inspected_on", "consumer", "outcome", "by", "recovered_kwh", "withdrawn_at"]
    list_filter = ["outcome", "consumer__zone"]
    list_select_related = ["consumer", "by"]
    search_fields = ["consumer__number"]
    date_hierarchy = "inspected_on"
    autocomplete_fields = ["consumer", "by"]
    readonly_fields = ["withdrawn_at"]

    def has_delete_permission(self, request, obj=None):
        """An inspection stays on record; a case takes its own back by reopening."""
        return False
