"""A database of the benchmark's own, on the same server, dropped afterwards. Child processes inherit it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

# Two people's benchmarks on one server must not drop each other's database.
DATABASE = f"bench_ntl_web_{os.getpid()}"
NAME = sql.Identifier(DATABASE)


@contextmanager
def database() -> Iterator[None]:
    """Django set up on a fresh, migrated database and an empty media folder. Call it before anything imports Django."""
    real = urlsplit(os.environ["DATABASE_URL"])._replace(scheme="postgresql")
    with psycopg.connect(real.geturl(), autocommit=True) as server, tempfile.TemporaryDirectory() as media:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(NAME))
        server.execute(sql.SQL("CREATE DATABASE {}").format(NAME))
        os.environ["DATABASE_URL"] = real._replace(scheme="postgis", path=f"/{DATABASE}").geturl()
        os.environ["MEDIA_ROOT"] = media
        set_up_django()
        from django.core.management import call_command  # noqa: PLC0415 Django was set up only now
        from django.db import connections  # noqa: PLC0415

        call_command("migrate", verbosity=0)
        try:
            yield
        finally:
            connections.close_all()
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(NAME))


def set_up_django() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ntl_web.settings")
    import django  # noqa: PLC0415 reads the settings' environment

    django.setup()
