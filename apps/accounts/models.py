import hashlib
import secrets

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A person or an outside system. What they may do comes from their groups (roles.py), where from their zones."""

    all_zones = models.BooleanField(
        _("all zones"), default=False, help_text=_("Sees every zone, also those that are drawn later.")
    )

    @property
    def sees_everything(self) -> bool:
        return self.is_active and (self.is_superuser or self.all_zones)


class ApiClient(models.Model):
    """A key with which an outside system acts as its user. Only the key's hash is kept."""

    PREFIX_LENGTH = 8

    name = models.CharField(_("name"), max_length=100, unique=True)
    user = models.ForeignKey(User, models.PROTECT, related_name="api_clients", verbose_name=_("acts as"))
    prefix = models.CharField(_("first letters of the key"), max_length=PREFIX_LENGTH, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("API client")
        verbose_name_plural = _("API clients")
        ordering = ["name"]

    def __str__(self):
        return self.name

    def set_new_key(self) -> str:
        """Returns the key, which is shown this once. 256 random bits need no slow hash."""
        key = secrets.token_urlsafe(32)
        self.prefix = key[: self.PREFIX_LENGTH]
        self.key_hash = hash_of(key)
        return key


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
