from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed

from apps.accounts.models import ApiClient, hash_of


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key <key>`; request.user is the user that the client acts as, request.auth the client."""

    keyword = "Api-Key"

    def authenticate(self, request):
        words = get_authorization_header(request).decode("latin-1").split()
        if not words or words[0].lower() != self.keyword.lower():
            return None
        if len(words) != 2:
            raise AuthenticationFailed(_("Send the header as: Authorization: Api-Key <key>"))
        client = (
            ApiClient.objects.select_related("user")
            .filter(key_hash=hash_of(words[1]), revoked_at=None, user__is_active=True)
            .first()
        )
        if client is None:
            raise AuthenticationFailed(_("This key is not known, or was revoked."))
        self._note_use(client)
        return client.user, client

    def authenticate_header(self, request):
        return self.keyword

    def _note_use(self, client: ApiClient) -> None:
        # To the minute is enough to see which keys are idle, and spares a write on most requests.
        now = timezone.now()
        if client.last_used_at is None or now - client.last_used_at > timedelta(minutes=1):
            ApiClient.objects.filter(pk=client.pk).update(last_used_at=now)


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema):
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Api-Key <key>"}
