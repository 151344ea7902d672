"""Statements over all meters at once, with what each of them may ask for: the first day of all, the import channel."""

from django.db import connection

from apps.readings import profiles
from apps.readings.models import Channel


def execute(statement: str, **params: object) -> None:
    with connection.cursor() as cursor:
        run(cursor, statement, params)


def fetched(statement: str, **params: object) -> list[tuple]:
    with connection.cursor() as cursor:
        run(cursor, statement, params)
        return cursor.fetchall()


def run(cursor, statement: str, params: dict[str, object]) -> None:
    cursor.execute(statement, {"epoch": profiles.EPOCH, "channel": int(Channel.IMPORT), **params})
