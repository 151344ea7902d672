from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import ApiClient, User

admin.site.site_header = admin.site.site_title = _("ntl-web reference data")
admin.site.index_title = _("Administration")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    list_display = ["username", "first_name", "last_name", "roles", "all_zones", "is_active", "last_login"]
    list_filter = ["groups", "all_zones", "is_active"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("Person"), {"fields": ["first_name", "last_name", "email"]}),
        (
            _("What they may do, and where"),
            {"fields": ["groups", "all_zones", "is_active", "is_staff", "is_superuser"]},
        ),
    ]
    filter_horizontal = ["groups"]

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description=_("roles"))
    def roles(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all())


@admin.register(ApiClient)
class ApiClientAdmin(admin.ModelAdmin):
    list_display = ["name", "user", "prefix", "created_at", "last_used_at", "revoked_at"]
    list_select_related = ["user"]
    fields = ["name", "user", "prefix", "last_used_at", "revoked_at"]
    readonly_fields = ["prefix", "last_used_at"]
    autocomplete_fields = ["user"]
    actions = ["give_new_key", "revoke"]

    def get_form(self, request, obj=None, change=False, **kwargs):
        helps = {
            "name": _(
                "The system that will use the key, such as the billing system. The key is shown once, after saving."
            ),
            "user": _("The client may do and see what this person may. Give each system a user of its own."),
            "revoked_at": _("From then on the key is refused."),
        }
        return super().get_form(request, obj, change, help_texts=helps, **kwargs)

    def save_model(self, request, obj, form, change):
        key = None if change else obj.set_new_key()
        super().save_model(request, obj, form, change)
        if key:
            self.show_once(request, obj, key)

    @admin.action(description=_("Give a new key; the old one stops working"), permissions=["change"])
    def give_new_key(self, request, clients):
        for client in clients:
            key = client.set_new_key()
            client.revoked_at = None
            client.save(update_fields=["prefix", "key_hash", "revoked_at"])
            self.show_once(request, client, key)

    @admin.action(description=_("Revoke"), permissions=["change"])
    def revoke(self, request, clients):
        clients.filter(revoked_at=None).update(revoked_at=timezone.now())

    def show_once(self, request, client: ApiClient, key: str) -> None:
        text = gettext("The key of %(name)s, shown this once: %(key)s")
        messages.warning(request, text % {"name": client, "key": key})
