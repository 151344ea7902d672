"""How addresses name a consumer."""

from django.urls import register_converter


class ConsumerNumber:
    """The utility's own numbers may hold slashes, and what came from a file even a line break. No text that the
    database keeps holds NUL."""

    regex = r"[^\0]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ConsumerNumber, "number")
