"""Rows before and after they are written, so that an import can be taken back while nothing later changed them."""
# ruff: noqa: S608 statements are made of our own names; what a file says travels as parameters or as staged rows

from django.contrib.gis.db.models import GeometryField
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.grid.models import (
    Connection,
    Consumer,
    Contract,
    Feeder,
    Installation,
    Meter,
    ReferenceImport,
    Supply,
    Transformer,
    Zone,
)

LINKS = [Installation, Supply, Connection]
# What stands on others first, so that it can be taken away in this order.
THINGS = [Consumer, Transformer, Feeder, Zone, Contract, Meter]
NAMED_BY = {Consumer: "number", Contract: "number", Meter: "serial"}  # the others by their code
SHOWN = 5


class CannotUndo(Exception):
    """The message tells a person what stands in the way."""


def row_json(model: type[Model], alias: str) -> str:
    """SQL: a row as jsonb that comes back as the very same row; shapes as the hexadecimal text that PostGIS keeps."""
    parts = ", ".join(
        f"'{one.column}', {alias}.{one.column}{'::text' if isinstance(one, GeometryField) else ''}"
        for one in model._meta.concrete_fields
    )
    return f"jsonb_build_object({parts})"


def fingerprint(model: type[Model], alias: str) -> str:
    """SQL: what tells whether a row that an import made is still as it made it; the row itself stands in the file."""
    return f"to_jsonb(md5({row_json(model, alias)}::text))"


class Journal:
    def __init__(self, reference: ReferenceImport):
        self.reference = reference

    def created(self, model: type[Model], ids: str, *params) -> None:
        """Note rows that were just made. `ids` is SQL that selects them."""
        self._do(
            f'INSERT INTO grid_referencechange (reference_id, "table", row_id, before, after)'
            f" SELECT %s, %s, t.id, NULL, {fingerprint(model, 't')} FROM {model._meta.db_table} t"
            f" WHERE t.id IN ({ids})",
            self.reference.pk,
            model._meta.db_table,
            *params,
        )

    def before(self, model: type[Model], ids: str, *params) -> None:
        """Note rows as they are, just before they are changed or deleted."""
        self._do("DROP TABLE IF EXISTS row_before")
        self._do(
            f"CREATE TEMPORARY TABLE row_before ON COMMIT DROP AS SELECT t.id, {row_json(model, 't')} AS was"
            f" FROM {model._meta.db_table} t WHERE t.id IN ({ids})",
            *params,
        )

    def after(self, model: type[Model]) -> None:
        """Note what became of the rows that `before` noted."""
        self._do(
            f'INSERT INTO grid_referencechange (reference_id, "table", row_id, before, after)'
            f" SELECT %s, %s, b.id, b.was, CASE WHEN t.id IS NULL THEN 'null' ELSE {row_json(model, 't')} END"
            f" FROM row_before b LEFT JOIN {model._meta.db_table} t USING (id)",
            self.reference.pk,
            model._meta.db_table,
        )

    def _do(self, statement: str, *params) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, params)


def relations(model: type[Model]) -> list[tuple[str, str, str]]:
    """(table, column, plural name) of everything that points at the model. Apps above are known by their relations."""
    return [
        (
            relation.related_model._meta.db_table,
            relation.field.column,
            str(relation.related_model._meta.verbose_name_plural),
        )
        for relation in model._meta.get_fields(include_hidden=True)
        if relation.auto_created and not relation.concrete and (relation.one_to_many or relation.one_to_one)
    ]


def referenced(cursor, model: type[Model], ids: str) -> list[str]:
    """What points at any of the rows that `ids` selects, by its plural name."""
    found = []
    for table, column, plural in relations(model):
        cursor.execute(f"SELECT EXISTS (SELECT FROM {table} t WHERE t.{column} IN ({ids}))")
        if cursor.fetchone()[0]:
            found.append(plural)
    return found


@transaction.atomic
def undo(reference: ReferenceImport) -> None:
    """Make every row as it was before the import. Raises CannotUndo, and then nothing has changed."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS noted")
        cursor.execute(
            'CREATE TEMPORARY TABLE noted ON COMMIT DROP AS SELECT "table" AS of, row_id AS id, before, after'
            " FROM grid_referencechange WHERE reference_id = %s",
            [reference.pk],
        )
        cursor.execute("CREATE INDEX ON noted (of, id)")
        cursor.execute("ANALYZE noted")
        cursor.execute("SELECT DISTINCT of FROM noted")
        tables = {table for (table,) in cursor.fetchall()}
        links = [model for model in LINKS if model._meta.db_table in tables]
        things = [model for model in THINGS if model._meta.db_table in tables]
        for model in [*links, *things]:
            refuse_changed_since(cursor, model)
        try:
            for model in links:
                cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE id IN ({noted(model, KEPT)})")
            if Transformer in things:
                # Let go of first: one may get back what another has now.
                cursor.execute(
                    f"UPDATE grid_transformer SET sum_meter_id = NULL WHERE id IN ({noted(Transformer, KEPT)})"
                )
            for model in things:
                restore(cursor, model)
            for model in things:
                take_away(cursor, model)
            for model in links:
                put_back(cursor, model, CHANGED)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except IntegrityError:
            raise CannotUndo(
                _("What came later builds on this import, so it cannot be taken back. Correct it with another file.")
            ) from None


MADE, CHANGED, DELETED, KEPT = "before IS NULL", "before IS NOT NULL", "after = 'null'", "after <> 'null'"


def noted(model: type[Model], where: str) -> str:
    """SQL that selects ids of noted rows."""
    return f"SELECT id FROM noted WHERE of = '{model._meta.db_table}' AND {where}"


def refuse_changed_since(cursor, model: type[Model]) -> None:
    table = model._meta.db_table
    name = f"t.{NAMED_BY.get(model, 'code')}" if model in THINGS else "NULL"
    cursor.execute(
        f"SELECT count(*) OVER (), {name} FROM noted c LEFT JOIN {table} t USING (id) WHERE c.of = '{table}'"
        f" AND c.after IS DISTINCT FROM CASE WHEN t.id IS NULL THEN 'null'"
        f" WHEN c.before IS NULL THEN {fingerprint(model, 't')} ELSE {row_json(model, 't')} END LIMIT {SHOWN}"
    )
    rows = cursor.fetchall()
    if rows:
        count, names = rows[0][0], [name for _count, name in rows if name is not None]
        text = ngettext(
            "%(count)d of its %(things)s was changed or deleted since%(names)s, so it cannot be taken back.",
            "%(count)d of its %(things)s were changed or deleted since%(names)s, so it cannot be taken back.",
            count,
        )
        listed = f" ({', '.join(names)}{', …' if count > len(names) else ''})" if names else ""
        raise CannotUndo(text % {"count": count, "things": model._meta.verbose_name_plural, "names": listed})


def put_back(cursor, model: type[Model], where: str) -> None:
    table = model._meta.db_table
    cursor.execute(
        f"INSERT INTO {table} SELECT old.* FROM noted c, jsonb_populate_record(NULL::{table}, c.before) old"
        f" WHERE c.of = '{table}' AND {where}"
    )


def restore(cursor, model: type[Model]) -> None:
    table = model._meta.db_table
    columns = [one.column for one in model._meta.concrete_fields if not one.primary_key]
    cursor.execute(
        f"UPDATE {table} t SET {', '.join(f'{column} = old.{column}' for column in columns)}"
        f" FROM noted c, jsonb_populate_record(NULL::{table}, c.before) old"
        f" WHERE c.of = '{table}' AND {CHANGED} AND t.id = c.id"
    )
    put_back(cursor, model, DELETED)


def take_away(cursor, model: type[Model]) -> None:
    made = noted(model, MADE)
    others = referenced(cursor, model, made)
    if others:
        raise CannotUndo(
            _("Some of the %(things)s that it added are used by now (%(by)s), so it cannot be taken back.")
            % {"things": model._meta.verbose_name_plural, "by": ", ".join(others)}
        )
    cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE id IN ({made})")
