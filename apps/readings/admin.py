from django.contrib import admin

from apps.readings.models import EventMeaning, MeterEvent, Sender


@admin.register(Sender)
class SenderAdmin(admin.ModelAdmin):
    list_display = ["name", "statement"]
    readonly_fields = ["statement"]
    search_fields = ["name"]


@admin.register(MeterEvent)
class MeterEventAdmin(admin.ModelAdmin):
    list_display = ["at", "meter", "code"]
    list_filter = ["code"]
    list_select_related = ["meter"]
    search_fields = ["meter__serial"]
    date_hierarchy = "at"
    autocomplete_fields = ["meter"]


@admin.register(EventMeaning)
class EventMeaningAdmin(admin.ModelAdmin):
    """What is said here holds for files to come; `manage.py map_events` applies it to events that came."""

    list_display = ["source_code", "code"]
    list_filter = ["code"]
    search_fields = ["source_code"]
