"""Refuses what a request names and nobody takes: a misspelt word would be left out, and cost what it was to say."""

from collections.abc import Iterable

from django.utils.translation import gettext as _
from rest_framework.serializers import ValidationError


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Raises ValidationError that says of each name that nothing here is called so, and what is."""
    known = list(known)
    unknown = [name for name in given if name not in known]
    if unknown:
        reason = _("Nothing here is called so. There are: %(known)s.") % {"known": ", ".join(known)}
        raise ValidationError({name: [reason] for name in unknown})
