"""Files as the bodies of requests, for every API that takes them."""

from typing import BinaryIO

from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser

CHUNK_BYTES = 1024**2


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class RawBody(BaseParser):
    """The body is the file. It is streamed to disk, never held."""

    media_type = "*/*"

    def parse(self, stream: BinaryIO, media_type=None, parser_context=None) -> dict:
        return {"file": iter(lambda: stream.read(CHUNK_BYTES), b"")}
