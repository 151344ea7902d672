from datetime import timedelta

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed

from apps.accounts.models import ApiClient, User, hash_of

# Who comes with a key, and what they may do, in one question: a meter that pushes an hour asks it for a single number,
# and through the ORM it took three queries and half of that request's time.
CLIENT_OF_KEY = """
SELECT client.id, client.name, client.last_used_at, person.id, person.is_superuser, person.username, person.all_zones,
       ARRAY(
           SELECT kind.app_label || '.' || permission.codename
           FROM auth_permission permission
           JOIN django_content_type kind ON kind.id = permission.content_type_id
           WHERE permission.id IN (
               SELECT permission_id FROM accounts_user_user_permissions WHERE user_id = person.id
               UNION ALL
               SELECT granted.permission_id FROM auth_group_permissions granted
               JOIN accounts_user_groups member USING (group_id) WHERE member.user_id = person.id
           )
       )
FROM accounts_apiclient client
JOIN accounts_user person ON person.id = client.user_id
WHERE client.key_hash = %s AND client.revoked_at IS NULL AND person.is_active
"""


def client_of(key: str) -> ApiClient | None:
    """The client that the key belongs to, with the user that it acts as; None for a key that is not valid."""
    with connection.cursor() as cursor:
        cursor.execute(CLIENT_OF_KEY, [hash_of(key)])
        row = cursor.fetchone()
    if row is None:
        return None
    client_id, name, last_used_at, user_id, is_superuser, username, all_zones, permissions = row
    # What is not asked for here is fetched where somebody looks at it. Fields in the order of their model.
    named = ["id", "is_superuser", "username", "is_active", "all_zones"]
    user = User.from_db("default", named, (user_id, is_superuser, username, True, all_zones))
    user._perm_cache = set(permissions)  # where Django's own backend keeps what it found
    named = ["id", "name", "user_id", "last_used_at"]
    client = ApiClient.from_db("default", named, (client_id, name, user_id, last_used_at))
    client.user = user
    return client


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key <key>`; request.user is the user that the client acts as, request.auth the client."""

    keyword = "Api-Key"

    def authenticate(self, request):
        words = get_authorization_header(request).decode("latin-1").split()
        if not words or words[0].lower() != self.keyword.lower():
            return None
        if len(words) != 2:
            raise AuthenticationFailed(_("Send the header as: Authorization: Api-Key <key>"))
        client = client_of(words[1])
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
