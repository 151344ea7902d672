from django.contrib import admin

from apps.readings.models import MeterEvent, Sender


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
