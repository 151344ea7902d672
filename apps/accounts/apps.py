from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


def fill_groups(using, **kwargs):
    # Models exist only once apps are loaded.
    from apps.accounts.roles import sync_roles  # noqa: PLC0415

    sync_roles(using)


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    verbose_name = _("Accounts")

    def ready(self):
        # Permissions appear app by app as post_migrate runs; filling after each of them ends with all.
        post_migrate.connect(fill_groups, dispatch_uid="accounts.fill_groups")
