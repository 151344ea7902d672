"""Files and JSON as the bodies of requests, for every API that takes them."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser, JSONParser

from apps.unknown_names import refuse_unknown

CHUNK_BYTES = 1024**2


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class LengthRequired(APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = _("A form states its length (Content-Length). Send it, or the file as the body itself.")
    default_code = "length_required"


class JsonBody(JSONParser):
    """JSON; what nests deeper than can be read is the sender's fault and not the server's."""

    def parse(self, stream: BinaryIO, media_type=None, parser_context=None):
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError(_("The JSON nests lists or objects too deep to be read.")) from None


class RawBody(BaseParser):
    """The body is the file. It is streamed to disk, never held."""

    media_type = "*/*"

    def parse(self, stream: BinaryIO, media_type=None, parser_context=None) -> dict:
        return {"file": chunks_of(stream)}


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: stream.read(CHUNK_BYTES), b"")


def of_unknown_length(request) -> BinaryIO | None:
    """The body of a request whose sender did not know its length beforehand (chunked); None of any other.

    Django and the REST framework count it as none. Where the server marks its end, it can be read all the same.
    """
    if "CONTENT_LENGTH" not in request.META and request.META.get("wsgi.input_terminated"):
        return request.META["wsgi.input"]
    return None


def file_of(request):
    """A form's file, or the chunks of the body; None where a form has no file."""
    stream = of_unknown_length(request)
    if stream is None:
        # The REST framework does not parse an empty body: it is an empty file.
        return request.data.get("file", None if is_form(request) else iter(()))
    if is_form(request):
        raise LengthRequired
    return chunks_of(stream)


def is_form(request) -> bool:
    return request.content_type.startswith("multipart/")


def stated_beside(request, known: Iterable[str]) -> QueryDict:
    """What a request says of its file: in the query, and in the fields of its form, if it is one. A word that nobody
    knows is refused. Raises ValidationError."""
    stated = request.query_params.copy()
    for name, value in request.data.items() if is_form(request) else ():
        if name != "file":
            stated[name] = value
    refuse_unknown(stated, [*known, "name"])
    return stated
