from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db.models import Q

from apps.accounts.models import User


class OneQuestionBackend(ModelBackend):
    """Django's own, which asks for a person's rights and for those of their groups apart, twice on every page."""

    def get_all_permissions(self, user_obj, obj=None) -> set[str]:
        if not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set()
        if not hasattr(user_obj, "_perm_cache"):
            user_obj._perm_cache = {f"{app}.{codename}" for app, codename in rights_of(user_obj)}
        return user_obj._perm_cache


def rights_of(user: User) -> list[tuple[str, str]]:
    """App and codename of each permission that somebody has by themselves or by a group; a superuser has all."""
    permissions = Permission.objects.order_by()
    if not user.is_superuser:
        by_group = Permission.objects.filter(group__user=user)
        permissions = permissions.filter(
            Q(pk__in=user.user_permissions.values("pk")) | Q(pk__in=by_group.order_by().values("pk"))
        )
    return list(permissions.values_list("content_type__app_label", "codename"))
