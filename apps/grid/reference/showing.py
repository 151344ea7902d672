"""What a person is shown of a plan: some rows with what they were and would be, and their geometry on a small map."""
# ruff: noqa: S608 statements are made of our own names; what a file says travels as parameters or as staged rows

import json

from django.db import connection

from apps.grid.reference.kinds import GEOMETRY, Link
from apps.grid.reference.plan import CHANGE, CREATE, SAME, Plan
from apps.grid.reference.sources import Source
from apps.grid.reference.values import Wrong, shown

ROWS_SHOWN = {CHANGE: 40, CREATE: 20, SAME: 5}
POINTS_SHOWN = 1500
SHAPES_SHOWN = 200
SIMPLER_DEGREES = 0.0002  # an outline on a map of a few hundred pixels
MOST_SHAPE_BYTES = 400_000


def preview(plan: Plan) -> dict:
    """As JSON keeps it: columns, rows and shapes."""
    with connection.cursor() as cursor:
        return Preview(cursor, plan).everything()


class Preview:
    def __init__(self, cursor, plan: Plan):
        self.cursor, self.plan, self.kind = cursor, plan, plan.kind

    def fetch(self, statement: str, *params) -> list[tuple]:
        self.cursor.execute(statement, params)
        return self.cursor.fetchall()

    def everything(self) -> dict:
        fields = [
            one for one in self.kind.fields if one.name in self.plan.present and one.name != (self.kind.key or None)
        ]
        key = self.kind.by_name[self.kind.key] if self.kind.key else None
        labels = [str(one.label) for one in ([key] if key else []) + fields]
        rows = self.rows(key.name if key else "", [one.name for one in fields])
        # What changes anywhere stands beside what names the row: a wide table shows its first columns.
        names_it = [one.required for one in ([key] if key else []) + fields]
        changes = [any(row["cells"][place][1] is not None for row in rows) for place in range(len(labels))]
        order = sorted(range(len(labels)), key=lambda place: (not names_it[place], not changes[place]))
        for row in rows:
            row["cells"] = [row["cells"][place] for place in order]
        return {"columns": [labels[place] for place in order], "rows": rows, "shapes": self.shapes()}

    def rows(self, key: str, names: list[str]) -> list[dict]:
        """Each with `cells`: [new, old]; old is null where nothing was or nothing changes."""
        if not key and not names:
            return []  # every row was refused
        olds = self.olds()
        new = ", ".join(self.text(f"i.{name}", name) for name in ([key] if key else []) + names)
        table = self.kind.model._meta.db_table if self.kind.model else None
        join = f"LEFT JOIN {table} t ON t.id = i.id AND NOT i.is_new" if table else ""
        old = ", ".join(
            olds.get(name, "NULL") if name != key else (f"t.{key}" if table else "NULL")
            for name in ([key] if key else []) + names
        )
        for link in self.plan.links:
            join += f" LEFT JOIN wish_{link.other} w_{link.other} ON w_{link.other}.row = i.row"
        shown = []
        for state, most in ROWS_SHOWN.items():
            found = self.fetch(
                f"SELECT i.line, {new}, {old} FROM incoming i {join} WHERE i.state = %s ORDER BY i.row LIMIT {most}",
                state,
            )
            width = len(names) + bool(key)
            for line, *cells in found:
                pairs = [
                    [value, was if value is not None and was is not None and was != value else None]
                    for value, was in zip(cells[:width], cells[width:], strict=True)
                ]
                shown.append({"line": line, "state": state, "cells": pairs})
        return shown

    def olds(self) -> dict[str, str]:
        """SQL text of what each field is now."""
        olds = {}
        if self.kind.model:
            references = {
                "zone": "(SELECT z.code FROM grid_zone z WHERE z.id = t.zone_id)",
                "feeder": "(SELECT f.code FROM grid_feeder f WHERE f.id = t.feeder_id)",
                "meter": "(SELECT m.serial FROM grid_meter m WHERE m.id = t.sum_meter_id)",
            }
            for name, column in self.plan.pairs_by_field():
                olds[name] = references[name] if name in references else self.text(f"t.{column}", name)
        for link in self.plan.links:
            olds |= self.olds_of(link)
        return olds

    def olds_of(self, link: Link) -> dict[str, str]:
        name = {"meter": "serial", "contract": "number", "transformer": "code"}[link.other]
        wish, other = f"w_{link.other}", f"{link.other}_id"
        before = (
            f"(SELECT x.{name} FROM {link.table} l JOIN grid_{link.other} x ON x.id = l.{other}"
            f" WHERE l.consumer_id = i.consumer_id AND upper_inf(l.valid) LIMIT 1)"
        )
        found = {}
        if self.kind.model:
            found[link.other] = before
        found[link.lower] = f"coalesce(lower({wish}.old_valid)::text, CASE WHEN {wish}.old_id IS NOT NULL THEN '…' END)"
        if link.upper:
            found[link.upper] = (
                f"coalesce(upper({wish}.old_valid)::text, CASE WHEN {wish}.old_id IS NOT NULL THEN '…' END)"
            )
        for column, staged in link.extras:
            found[staged] = f"(SELECT l.{column}::text FROM {link.table} l WHERE l.id = {wish}.old_id)"
        return found

    def text(self, expression: str, name: str) -> str:
        if name == "place":
            return f"round(ST_X({expression})::numeric, 6) || ', ' || round(ST_Y({expression})::numeric, 6)"
        if name in {"area", "path"}:
            return f"ST_NPoints({expression}) || ' ●'"
        if self.kind.by_name[name].sql == "numeric":
            return f"trim_scale({expression}::numeric)::text"
        return f"{expression}::text"

    def shapes(self) -> dict | None:
        """A GeoJSON collection; `state` and `name` of each."""
        name = self.kind.shape
        if not name or name not in self.plan.present:
            return None
        key = self.kind.key
        if name == "place":
            found = self.fetch(
                f"SELECT i.{key}, i.state, json_build_object('type', 'Point', 'coordinates', json_build_array("
                f" round(ST_X(place)::numeric, 6), round(ST_Y(place)::numeric, 6)))::text FROM incoming i"
                f" WHERE place IS NOT NULL ORDER BY state = '{SAME}', hashint4(row) LIMIT {POINTS_SHOWN}"
            )
        else:
            found = self.fetch(
                f"SELECT i.{key}, i.state, ST_AsGeoJSON(ST_SimplifyPreserveTopology({name}, {SIMPLER_DEGREES}), 5)"
                f" FROM incoming i WHERE {name} IS NOT NULL ORDER BY state = '{SAME}', row LIMIT {SHAPES_SHOWN}"
            )
        features, size = [], 0
        for one, state, shape in found:
            size += len(shape)
            if size > MOST_SHAPE_BYTES:
                break
            features.append(
                {"type": "Feature", "properties": {"name": one, "state": state}, "geometry": json.loads(shape)}
            )
        total = self.fetch(f"SELECT count({name}) FROM incoming")[0][0]
        return {"type": "FeatureCollection", "features": features, "total": total}


def cells_of(source: Source, most: int = 3) -> list[tuple[str, list[str]]]:
    """Columns with a few of their cells, for a person who chooses among them."""
    found: dict[str, list[str]] = {name: [] for name in source.columns}
    for _line, cells in source.sample()[:50]:
        for name, cell in zip(source.columns, cells, strict=False):
            if cell is None or len(found[name]) >= most or name == GEOMETRY or isinstance(cell, Wrong):
                continue
            text = " ".join(shown(cell).split())
            if text and text not in found[name]:
                found[name].append(text)
    return list(found.items())
