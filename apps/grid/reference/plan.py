"""A file of reference data that is held against what is known: its plan, and statements over its staged rows."""
# ruff: noqa: S608 statements are made of our own names; what a file says travels as parameters or as staged rows

from dataclasses import dataclass, field
from datetime import date

from apps.accounts.models import User
from apps.grid.models import Zone
from apps.grid.reference.kinds import Kind, Link
from apps.grid.reference.sources import Source
from apps.grid.reference.staging import Refused

CREATE, CHANGE, SAME = "create", "change", "same"
# Consumers that readings made for meters that nobody had registered (apps.grid.actions.register_meters), and whom
# nobody has named or placed since.
NAMELESS = """
SELECT l.meter_id, l.consumer_id
FROM grid_installation l
JOIN grid_meter m ON m.id = l.meter_id
JOIN grid_consumer c ON c.id = l.consumer_id
JOIN grid_zone z ON z.id = c.zone_id AND z.code = 'UNASSIGNED'
WHERE l.meter_id IN (SELECT meter_id FROM incoming)
  AND c.kind = 'unknown' AND c.name = '' AND c.address = ''
  AND (c.number = m.serial OR right(c.number, length(' (meter ' || m.id || ')')) = ' (meter ' || m.id || ')')
"""


@dataclass
class Plan:
    kind: Kind
    by: User
    as_of: date
    source: Source
    refused: Refused
    counts: dict[str, int] = field(default_factory=dict)  # by state
    present: frozenset[str] = frozenset()  # fields that some row fills

    @property
    def links(self) -> list[Link]:
        """Of the kind, those for which the file has anything."""
        return [link for link in self.kind.links if link.other in self.present]

    def pairs(self) -> list[tuple[str, str]]:
        """(column of the model, staged column) of what the file fills."""
        staged_as = {"zone": "zone_id", "feeder": "feeder_id", "meter": "meter_id"}
        return [(column, staged_as.get(name, name)) for name, column in self.pairs_by_field()]

    def pairs_by_field(self) -> list[tuple[str, str]]:
        """(field, column of the model) of what the file fills."""
        return [(name, column) for name, column in self.kind.columns.items() if name in self.present]


class Statements:
    """Over `incoming`, a row for each row of the file, and the other temporary tables of a plan."""

    def __init__(self, cursor, plan: Plan):
        self.cursor, self.plan, self.kind = cursor, plan, plan.kind
        zones = Zone.objects.visible_to(plan.by).values_list("pk", "code", "name")
        self.zones = list(zones)
        self.seen = [pk for pk, _code, _name in self.zones]
        self.sees_everything = plan.by.sees_everything

    def do(self, statement: str, *params) -> None:
        self.cursor.execute(statement, params)

    def refuse(self, where: str, reason: str, *params, join: str = "") -> int:
        """Put aside rows of `incoming i`. `reason` is an SQL expression for text; its parameters stand in `params`."""
        self.cursor.execute(
            f"SELECT DISTINCT ON (i.row) i.row, i.line, {reason}, i.{self.kind.key or self.kind.required[0].name}"
            f" FROM incoming i {join} WHERE {where} ORDER BY i.row",
            params,
        )
        found = self.cursor.fetchall()
        for row, line, text, name in found:
            self.plan.refused.add(line, self.plan.source.place_of(row) + text, name or "")
        if found:
            self.do("DELETE FROM incoming WHERE row = ANY(%s)", [row for row, *_rest in found])
        return len(found)
