from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.readings import events
from apps.readings.models import EventMeaning, MeterEvent, Sender, ValidationRule
from apps.readings.validation import running


@admin.register(Sender)
class SenderAdmin(admin.ModelAdmin):
    list_display = ["name", "statement"]
    readonly_fields = ["statement"]
    search_fields = ["name"]


@admin.register(MeterEvent)
class MeterEventAdmin(admin.ModelAdmin):
    list_display = ["at", "meter", "code", "source_code", "detail"]
    list_filter = ["code"]
    list_select_related = ["meter"]
    search_fields = ["meter__serial", "source_code"]
    date_hierarchy = "at"
    autocomplete_fields = ["meter"]


@admin.register(EventMeaning)
class EventMeaningAdmin(admin.ModelAdmin):
    """What is said here holds for files to come and, in a moment, for events that came."""

    list_display = ["source_code", "code"]
    list_filter = ["code"]
    search_fields = ["source_code"]
    fieldsets = [
        (
            None,
            {
                "fields": ["source_code", "code"],
                "description": _(
                    "The code as the sender spells it, and what it means. This holds for events to come and, in a"
                    " moment, for those that came with this code: their meters are then scored again. A meaning that is"
                    " taken back leaves the events to what is known of the code anyway."
                ),
            },
        )
    ]

    def save_model(self, request, obj, form, change):
        before = EventMeaning.objects.filter(pk=obj.pk).values_list("source_code", flat=True)
        codes = {obj.source_code, *before}
        super().save_model(request, obj, form, change)
        events.look_again(codes)

    def delete_model(self, request, obj):
        super().delete_model(request, obj)
        events.look_again({obj.source_code})

    def delete_queryset(self, request, queryset):
        codes = set(queryset.values_list("source_code", flat=True))
        super().delete_queryset(request, queryset)
        events.look_again(codes)


@admin.register(ValidationRule)
class ValidationRuleAdmin(admin.ModelAdmin):
    """As on the page Data quality, Rules, which also says what a setting would hit."""

    list_display = ["rule", "zone", "enabled", "limits"]
    list_filter = ["rule", "zone"]
    list_select_related = ["zone"]

    def save_model(self, request, obj, form, change):
        before = ValidationRule.objects.filter(pk=obj.pk).values_list("zone_id", flat=True)
        places = {obj.zone_id, *before}
        super().save_model(request, obj, form, change)
        for place in places:
            running.validate_again(place)

    def delete_model(self, request, obj):
        super().delete_model(request, obj)
        running.validate_again(obj.zone_id)

    def delete_queryset(self, request, queryset):
        places = set(queryset.values_list("zone_id", flat=True))
        super().delete_queryset(request, queryset)
        for place in places:
            running.validate_again(place)
