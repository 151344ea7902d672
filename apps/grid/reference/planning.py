"""What the staged rows would change: known things found, links fitted into time, and what cannot be refused by row.

Everything here works on whole tables of the transaction: `incoming` (a row for each row of the file), and a `wish`
table for each sort of link. Nothing of the grid is written.
"""
# ruff: noqa: S608 statements are made of our own names; what a file says travels as parameters or as staged rows

from dataclasses import dataclass, field
from datetime import date

from django.db import connection
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.faults import FileFault
from apps.grid.models import Consumer, Feeder, Meter, Transformer, Zone
from apps.grid.reference.kinds import Kind, Link
from apps.grid.reference.sources import Source
from apps.grid.reference.staging import Refused

CREATE, CHANGE, SAME = "create", "change", "same"
NEAR_DEGREES = 1.0  # some 100 km around everything that is known
MOST_ROUNDS = 8  # a refused row gives back the time that it claimed, so the others are fitted again


@dataclass
class Plan:
    kind: Kind
    by: User
    as_of: date
    source: Source
    refused: Refused
    counts: dict[str, int] = field(default_factory=dict)  # by state

    @property
    def links(self) -> list[Link]:
        """Of the kind, those for which the file has anything."""
        return [link for link in self.kind.links if link.other in self.present]

    present: frozenset[str] = frozenset()  # fields that some row fills


def make(plan: Plan) -> Plan:
    """Raises FileFault where rows contradict each other beyond what can be told by row."""
    with connection.cursor() as cursor:
        # Every statement runs once, over whole tables.
        cursor.execute("SET LOCAL jit = off")
        cursor.execute("SET LOCAL work_mem = '64MB'")
        names = [one.name for one in plan.kind.fields if one.name not in {"lon", "lat"}]
        cursor.execute("SELECT " + ", ".join(f"bool_or({name} IS NOT NULL)" for name in names) + " FROM incoming")
        plan.present = frozenset(name for name, some in zip(names, cursor.fetchone(), strict=True) if some)
        Planner(cursor, plan).run()
    return plan


class Planner:
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

    def run(self) -> None:
        # An unknown meter or contract is registered by being named.
        self.number_new("meter", "grid_meter", "serial")
        self.number_new("contract", "grid_contract", "number")
        self.resolve()
        self.refuse_unknown()
        if self.kind.model:
            self.refuse_repeats()
            if self.kind.model is Consumer and "meter" in self.plan.present:
                self.adopt()
            self.refuse_foreign()
            self.refuse_shapes()
        self.check_own_rules()
        self.do("ANALYZE incoming")
        self.fit_links()
        self.compare()

    # --- What rows name -----------------------------------------------------------------------------------------------

    def number_new(self, name: str, table: str, key: str) -> None:
        self.do(f"CREATE TEMPORARY TABLE new_{name} (id bigint, name text) ON COMMIT DROP")
        if name not in self.plan.present:
            return
        self.do(
            f"INSERT INTO new_{name} SELECT nextval(pg_get_serial_sequence(%s, 'id')), {name} FROM"
            f" (SELECT DISTINCT {name} FROM incoming WHERE {name} IS NOT NULL AND NOT EXISTS"
            f" (SELECT FROM {table} t WHERE t.{key} = {name})) AS unknown",
            table,
        )
        self.do(f"ANALYZE new_{name}")

    def resolve(self) -> None:
        """`incoming` anew, with the ids of what its rows name; a new thing gets the id that it will have."""
        found, joins, params = {}, "", []
        if "zone" in self.plan.present:
            found["zone_id"] = "zones.id"
            joins += " LEFT JOIN unnest(%s::text[], %s::bigint[]) AS zones (name, id) ON zones.name = i.zone"
            params += self.zones_named()
        if "feeder" in self.plan.present:
            found["feeder_id"] = "feeders.id"
            joins += " LEFT JOIN grid_feeder feeders ON feeders.code = i.feeder AND feeders.zone_id = ANY(%s)"
            params.append(self.seen)
        if "transformer" in self.plan.present:
            found["transformer_id"] = "transformers.id"
            joins += (
                " LEFT JOIN (grid_transformer transformers JOIN grid_feeder fed_by"
                " ON fed_by.id = transformers.feeder_id)"
                " ON transformers.code = i.transformer AND fed_by.zone_id = ANY(%s)"
            )
            params.append(self.seen)
        for name, key in (("meter", "serial"), ("contract", "number")):
            if name in self.plan.present:
                found[f"{name}_id"] = f"coalesce({name}s.id, new_{name}.id)"
                joins += f" LEFT JOIN grid_{name} {name}s ON {name}s.{key} = i.{name}"
                joins += f" LEFT JOIN new_{name} ON new_{name}.name = i.{name}"
        if self.kind.model:
            table = self.kind.model._meta.db_table
            own = f"coalesce(known.id, nextval(pg_get_serial_sequence('{table}', 'id')))"
            found |= {"id": own, "is_new": "known.id IS NULL"}
            found["state"] = f"CASE WHEN known.id IS NULL THEN '{CREATE}' ELSE '{SAME}' END"
            joins += f" LEFT JOIN {table} known ON known.{self.kind.key} = i.{self.kind.key}"
        else:
            found |= {"consumer_id": "consumers.id", "state": "NULL::text"}
            joins += (
                " LEFT JOIN grid_consumer consumers ON consumers.number = i.consumer AND consumers.zone_id = ANY(%s)"
            )
            params.append(self.seen)
        found |= {
            name: "NULL::bigint"
            for name in ("zone_id", "feeder_id", "transformer_id", "meter_id", "contract_id", "consumer_id")
            if name not in found
        }
        listed = ", ".join(f"{sql} AS {name}" for name, sql in found.items())
        self.do("ALTER TABLE incoming RENAME TO staged")
        self.do("ANALYZE staged")
        self.do(f"CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS SELECT i.*, {listed} FROM staged i{joins}", *params)
        self.do("DROP TABLE staged")
        if self.kind.model is Consumer:
            # A consumer's own links are between itself and what it names.
            self.do("ALTER TABLE incoming DROP consumer_id")
            self.do("ALTER TABLE incoming RENAME id TO consumer_id")
            self.do("ALTER TABLE incoming ADD id bigint GENERATED ALWAYS AS (consumer_id) STORED")
        self.do("CREATE UNIQUE INDEX ON incoming (row)")
        if self.kind.model:
            self.do("CREATE INDEX ON incoming (id)")
        self.do("ANALYZE incoming")

    def zones_named(self) -> tuple[list[str], list[int]]:
        """What the file calls zones, and which they are: by code, or by a name that only one zone has."""
        spelled: dict[str, list[int]] = {}
        for pk, _code, name in self.zones:
            spelled.setdefault(name.casefold(), []).append(pk)
        ids = {name: pks[0] for name, pks in spelled.items() if len(pks) == 1}
        ids |= {code.casefold(): pk for pk, code, _name in self.zones}
        self.cursor.execute("SELECT DISTINCT zone FROM incoming WHERE zone IS NOT NULL")
        named = {name: ids[name.casefold()] for (name,) in self.cursor.fetchall() if name.casefold() in ids}
        return list(named), list(named.values())

    def refuse_unknown(self) -> None:
        unknown = {
            "zone": _("the zone %s is not known; import the zones first"),
            "feeder": _("the feeder %s is not known; import the feeders first"),
            "transformer": _("the transformer %s is not known; import the transformers first"),
            "consumer": _("the consumer %s is not known; import the consumers first"),
        }
        for name, reason in unknown.items():
            if name in self.plan.present:
                self.refuse(f"i.{name} IS NOT NULL AND i.{name}_id IS NULL", f"format(%s, i.{name})", reason)

    def refuse_repeats(self) -> None:
        key = self.kind.key
        self.refuse(
            "f.row < i.row",
            "format(%s, f.line)",
            _("line %s names the same one already; a history has a file of its own"),
            join=f"JOIN (SELECT {key} AS name, min(row) AS row, min(line) AS line FROM incoming GROUP BY 1"
            f" HAVING count(*) > 1) f ON f.name = i.{key}",
        )

    def adopt(self) -> None:
        """Readings came before the reference data, and their meter's consumer has no name yet: this is who it is.

        The consumer keeps its scores and cases under the number that it really has.
        """
        self.do(f"CREATE TEMPORARY TABLE nameless ON COMMIT DROP AS {NAMELESS}")
        self.do(
            "UPDATE incoming SET consumer_id = n.consumer_id, is_new = FALSE, state = %s"
            " FROM (SELECT DISTINCT ON (n.consumer_id) i.row, n.consumer_id"
            " FROM incoming i JOIN nameless n ON n.meter_id = i.meter_id"
            " WHERE i.is_new AND NOT EXISTS (SELECT FROM incoming o WHERE o.id = n.consumer_id)"
            " ORDER BY n.consumer_id, i.row) n WHERE n.row = incoming.row",
            CHANGE,
        )

    def refuse_foreign(self) -> None:
        """Things that lie in zones of other people."""
        if self.sees_everything:
            return
        model = self.kind.model
        zone = {Consumer: "t.zone_id", Feeder: "t.zone_id", Zone: "t.id",
                Transformer: "(SELECT f.zone_id FROM grid_feeder f WHERE f.id = t.feeder_id)"}.get(model)  # fmt: skip
        if model is Zone:
            self.refuse("is_new", "%s", _("zones are added by somebody who sees all of them"))
        if zone:
            self.refuse(
                f"NOT is_new AND NOT {zone} = ANY(%s)",
                "%s",
                _("it lies in a zone that you do not look after"),
                self.seen,
                join=f"JOIN {model._meta.db_table} t ON t.id = i.id",
            )

    def refuse_foreign_meters(self, column: str) -> None:
        if self.sees_everything:
            return
        self.refuse(
            f"EXISTS (SELECT FROM grid_installation l JOIN grid_consumer c ON c.id = l.consumer_id"
            f" WHERE l.meter_id = i.{column} AND upper_inf(l.valid) AND NOT c.zone_id = ANY(%s)) OR"
            f" EXISTS (SELECT FROM grid_transformer t JOIN grid_feeder f ON f.id = t.feeder_id"
            f" WHERE t.sum_meter_id = i.{column} AND NOT f.zone_id = ANY(%s))",
            "%s",
            _("its meter is in a zone that you do not look after"),
            self.seen,
            self.seen,
        )

    def refuse_shapes(self) -> None:
        if self.kind.shape in self.plan.present:
            self.refuse_exchanged()
        if self.kind.model is Zone and "area" in self.plan.present:
            self.refuse(
                "area IS NOT NULL AND NOT ST_IsValid(area)",
                "format(%s, ST_IsValidReason(area))",
                _("its outline cannot be an area (%s)"),
            )

    def refuse_exchanged(self) -> None:
        """Shapes that lie far from everything else, and among it with longitude and latitude exchanged."""
        shapes = " UNION ALL ".join(
            f"SELECT {one} AS shape FROM {model._meta.db_table} t"
            + (" WHERE NOT EXISTS (SELECT FROM incoming i WHERE i.id = t.id)" if model is self.kind.model else "")
            for model, one in ((Consumer, "place"), (Transformer, "place"), (Feeder, "path"), (Zone, "area"))
        )
        self.cursor.execute(
            f"SELECT ST_SetSRID(ST_Expand(ST_Extent(shape)::geometry, {NEAR_DEGREES}), 4326) FROM ({shapes}) known"
        )
        near = self.cursor.fetchone()[0]
        shape = f"i.{self.kind.shape}"
        if near:
            self.refuse(
                f"{shape} IS NOT NULL AND NOT {shape} && %s::geometry AND ST_FlipCoordinates({shape}) && %s::geometry",
                "%s",
                _("its longitude and latitude seem to be exchanged: it lies far from everything that is known here"),
                near,
                near,
            )

    def check_own_rules(self) -> None:
        model = self.kind.model
        if model is Zone:
            self.refuse(f"code = '{Zone.UNASSIGNED}'", "%s", _("this zone is the product's own"))
        elif model is Feeder:
            self.refuse("is_new AND zone_id IS NULL", "%s", _("a new feeder needs a zone"))
        elif model is Transformer:
            self.refuse("is_new AND feeder_id IS NULL", "%s", _("a new transformer needs a feeder"))
            self.check_sum_meters()
        elif model is Meter:
            self.refuse_foreign_meters("id")
            self.check_kinds_of_meters()
        if "meter" in self.plan.present:
            self.refuse_foreign_meters("meter_id")
        if any(link.other == "meter" for link in self.plan.links):
            self.refuse(
                "EXISTS (SELECT FROM grid_transformer t WHERE t.sum_meter_id = i.meter_id)",
                "format(%s, meter)",
                _("the meter %s is the sum meter of a transformer"),
            )

    def check_kinds_of_meters(self) -> None:
        self.refuse(
            "kind = 'sum' AND EXISTS (SELECT FROM grid_installation l JOIN grid_consumer c ON c.id = l.consumer_id"
            " WHERE l.meter_id = i.id AND (c.kind, c.name, c.address) <> ('unknown', '', ''))",
            "format(%s, serial)",
            _("the meter %s measures a consumer, and can be no sum meter"),
        )
        self.refuse(
            "kind = 'consumer' AND EXISTS (SELECT FROM grid_transformer t WHERE t.sum_meter_id = i.id)",
            "format(%s, serial)",
            _("the meter %s is the sum meter of a transformer"),
        )

    def check_sum_meters(self) -> None:
        if "meter" not in self.plan.present:
            return
        self.do(f"CREATE TEMPORARY TABLE nameless ON COMMIT DROP AS {NAMELESS}")
        self.refuse(
            "EXISTS (SELECT FROM grid_installation l WHERE l.meter_id = i.meter_id AND NOT EXISTS"
            " (SELECT FROM nameless n WHERE n.meter_id = l.meter_id))",
            "format(%s, meter)",
            _("the meter %s measures a consumer, and can be no sum meter"),
        )
        self.refuse(
            "EXISTS (SELECT FROM grid_transformer t WHERE t.sum_meter_id = i.meter_id AND t.id <> i.id AND NOT EXISTS"
            " (SELECT FROM incoming o WHERE o.id = t.id AND o.meter_id IS NOT NULL AND o.meter_id <> i.meter_id))"
            " OR EXISTS (SELECT FROM incoming o WHERE o.meter_id = i.meter_id AND o.row < i.row)",
            "format(%s, meter)",
            _("the meter %s is the sum meter of another transformer"),
        )

    # --- Links in time ------------------------------------------------------------------------------------------------

    def fit_links(self) -> None:
        for link in self.plan.links:
            if link.upper:
                self.refuse(
                    f"{link.lower} >= {link.upper}", f"format(%s, {link.upper}, {link.lower})",
                    _("%s, the first day without it, is not after %s, its first day"),
                )  # fmt: skip
        for _round in range(MOST_ROUNDS):
            if not sum(self.fit(link) for link in self.plan.links):
                return
        raise FileFault(_("Rows of the file contradict each other about who had what when. Send the history in parts."))

    def fit(self, link: Link) -> int:
        """Find the days of each wished link. Returns how many rows were refused."""
        wish, held, cut, other = f"wish_{link.other}", f"held_{link.other}", f"cut_{link.other}", f"{link.other}_id"
        self.do(f"DROP TABLE IF EXISTS {wish}, {held}, {cut}, matched")
        known = "AND NOT i.is_new" if self.kind.model else ""
        of_consumers = (
            f"SELECT t.* FROM {link.table} t JOIN (SELECT DISTINCT i.consumer_id FROM incoming i"
            f" WHERE i.{other} IS NOT NULL {known}) c USING (consumer_id)"
        )
        of_others = (
            f"UNION SELECT t.* FROM {link.table} t JOIN (SELECT DISTINCT i.{other} FROM incoming i) o USING ({other})"
        )
        self.do(
            f"CREATE TEMPORARY TABLE {held} ON COMMIT DROP AS"
            f" SELECT t.id, t.consumer_id, t.{other} AS other_id, t.valid"
            f" FROM ({of_consumers} {of_others if link.exclusive else ''}) t"
        )
        self.do(f"CREATE INDEX ON {held} (id)")
        self.do(f"ANALYZE {held}")
        self.match(link, held)
        self.place(link, wish, held)
        self.do(
            f"CREATE TEMPORARY TABLE {cut} ON COMMIT DROP AS SELECT h.id, h.consumer_id, h.other_id,"
            f" daterange(lower(h.valid), min(w.lo)) AS valid, min(w.row) AS row FROM {held} h"
            f" JOIN {wish} w ON w.consumer_id = h.consumer_id LEFT JOIN matched m ON m.old_id = h.id"
            f" WHERE m.old_id IS NULL AND upper_inf(h.valid) AND w.lo > coalesce(lower(h.valid), '-infinity')"
            f" GROUP BY h.id, h.consumer_id, h.other_id, h.valid"
        )
        return self.refuse_overlaps(link, wish, held, cut)

    def match(self, link: Link, held: str) -> None:
        """Which known link each row means; a link is meant by one row at most."""
        other = f"{link.other}_id"
        upper = f"i.{link.upper}" if link.upper else "NULL::date"
        self.do(
            f"CREATE TEMPORARY TABLE matched ON COMMIT DROP AS SELECT DISTINCT ON (old_id) * FROM ("
            f" SELECT DISTINCT ON (i.row) i.row, i.{link.lower} AS lower, h.id AS old_id, h.valid AS old_valid,"
            f" h.consumer_id AS old_consumer_id"
            f" FROM incoming i JOIN {held} h ON h.consumer_id = i.consumer_id AND h.other_id = i.{other}"
            f" WHERE CASE WHEN i.{link.lower} IS NULL AND {upper} IS NULL"
            f" THEN upper_inf(h.valid) OR h.valid @> %s::date"
            f" ELSE h.valid && daterange(i.{link.lower}, {upper}) END"
            f" ORDER BY i.row, upper_inf(h.valid) DESC, upper(h.valid) DESC) AS each"
            f" ORDER BY old_id, lower NULLS FIRST, row",
            self.plan.as_of,
        )
        if link.other == "meter":
            # The consumer that readings made for an unknown meter gives it to the one whom it really measures.
            self.do("DROP TABLE IF EXISTS nameless")
            self.do(f"CREATE TEMPORARY TABLE nameless ON COMMIT DROP AS {NAMELESS}")
            self.do(
                f"INSERT INTO matched SELECT DISTINCT ON (h.id) i.row, i.{link.lower}, h.id, h.valid, h.consumer_id"
                f" FROM incoming i JOIN {held} h ON h.other_id = i.meter_id AND h.consumer_id <> i.consumer_id"
                f" JOIN nameless n ON n.consumer_id = h.consumer_id AND n.meter_id = h.other_id"
                f" WHERE NOT EXISTS (SELECT FROM matched m WHERE m.row = i.row)"
                f" AND NOT EXISTS (SELECT FROM incoming o WHERE o.consumer_id = n.consumer_id)"
                f" ORDER BY h.id, i.{link.lower} NULLS FIRST, i.row"
            )
        self.do("ANALYZE matched")

    def place(self, link: Link, wish: str, held: str) -> None:
        """The days of each wish. A link without an end lasts until the next one begins."""
        other = f"{link.other}_id"
        upper = f"i.{link.upper}" if link.upper else "NULL::date"
        extras = "".join(f", i.{staged} AS {column}" for column, staged in link.extras)
        elsewhere = (
            f"LEFT JOIN (SELECT DISTINCT h.other_id FROM {held} h LEFT JOIN matched m ON m.old_id = h.id"
            f" WHERE m.old_id IS NULL) o ON o.other_id = i.{other}"
            if link.exclusive
            else "CROSS JOIN (SELECT NULL::bigint AS other_id) o"
        )
        wishes = (
            f"SELECT i.row, i.line, i.consumer_id, i.{other} AS other_id, {upper} AS upper{extras}, m.old_id,"
            f" m.old_valid, m.old_consumer_id, CASE WHEN i.{link.lower} IS NOT NULL THEN i.{link.lower}"
            f" WHEN m.old_consumer_id = i.consumer_id THEN lower(m.old_valid)"
            f" WHEN {upper} IS NULL AND (c.consumer_id IS NOT NULL OR o.other_id IS NOT NULL) THEN %s::date"
            f" ELSE lower(m.old_valid) END AS lo"
            f" FROM incoming i LEFT JOIN matched m USING (row)"
            f" LEFT JOIN (SELECT DISTINCT consumer_id FROM {held}) c ON c.consumer_id = i.consumer_id {elsewhere}"
            f" WHERE i.{other} IS NOT NULL"
        )
        others = (
            f"SELECT NULL::int AS row, h.consumer_id, lower(h.valid) AS lo FROM {held} h"
            f" LEFT JOIN matched m ON m.old_id = h.id WHERE m.old_id IS NULL"
        )
        kept = "".join(f" OR coalesce(w.{column}, t.{column}) IS DISTINCT FROM t.{column}" for column, _ in link.extras)
        self.do(
            f"CREATE TEMPORARY TABLE {wish} ON COMMIT DROP AS WITH wishes AS MATERIALIZED ({wishes}), ended AS ("
            f" SELECT row, min(lo) OVER (PARTITION BY consumer_id ORDER BY lo NULLS FIRST"
            f" GROUPS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_lo"
            f" FROM (SELECT row, consumer_id, lo FROM wishes UNION ALL {others}) starts),"
            f" days AS (SELECT wishes.*, coalesce(upper, least(CASE WHEN old_consumer_id = consumer_id"
            f" THEN upper(old_valid) END, next_lo)) AS up FROM wishes JOIN ended USING (row)),"
            f" placed AS (SELECT *, CASE WHEN lo >= up THEN NULL ELSE daterange(lo, up) END AS valid FROM days)"
            f" SELECT w.*, CASE WHEN w.old_id IS NULL THEN '{CREATE}'"
            f" WHEN w.valid <> t.valid OR w.consumer_id <> t.consumer_id{kept} THEN '{CHANGE}'"
            f" ELSE '{SAME}' END AS state"
            f" FROM placed w LEFT JOIN {link.table} t ON t.id = w.old_id",
            self.plan.as_of,
        )
        self.do(f"CREATE INDEX ON {wish} (row)")
        self.do(f"ANALYZE {wish}")

    def refuse_overlaps(self, link: Link, wish: str, held: str, cut: str) -> int:
        count = self.refuse(
            "w.valid IS NULL",
            "format(%s, w.up, w.lo)",
            _("it would end on %s, and begins on %s"),
            join=f"JOIN {wish} w USING (row)",
        )
        final = (
            f"SELECT NULL::int AS row, NULL::int AS line, h.consumer_id, h.other_id,"
            f" coalesce(c.valid, h.valid) AS valid"
            f" FROM {held} h LEFT JOIN {cut} c USING (id) LEFT JOIN matched m ON m.old_id = h.id WHERE m.old_id IS NULL"
            f" UNION ALL SELECT row, line, consumer_id, other_id, valid FROM {wish}"
        )
        name = {"meter": "serial", "contract": "number", "transformer": "code"}[link.other]
        at_once = "f.valid && w.valid AND (f.row IS NULL OR f.row < w.row)"
        joined = (
            f"JOIN {wish} w USING (row) JOIN ({final}) f ON {{on}} LEFT JOIN grid_{link.other} x ON x.id = f.other_id"
            f" LEFT JOIN grid_consumer c ON c.id = f.consumer_id"
        )
        days = "coalesce(lower(f.valid)::text, '…'), coalesce((upper(f.valid) - 1)::text, '…')"
        count += self.refuse(
            at_once,
            f"CASE WHEN f.row IS NULL THEN format(%s, x.{name}, {days}) ELSE format(%s, f.line) END",
            _("the consumer has %s from %s to %s already"),
            _("line %s wants another one for the same consumer and days"),
            join=joined.format(on="f.consumer_id = w.consumer_id"),
        )
        if link.exclusive:
            visible = "TRUE" if self.sees_everything else f"c.zone_id IN ({', '.join(map(str, self.seen)) or 'NULL'})"
            count += self.refuse(
                at_once,
                f"CASE WHEN f.row IS NOT NULL THEN format(%s, f.line)"
                f" ELSE format(%s, x.{name}, CASE WHEN {visible} THEN c.number ELSE '?' END, {days}) END",
                _("line %s gives it to another consumer on the same days"),
                _("%s is at the consumer %s from %s to %s: say there until when"),
                join=joined.format(on="f.other_id = w.other_id"),
            )
        return count

    # --- What differs -------------------------------------------------------------------------------------------------

    def compare(self) -> None:
        model = self.kind.model
        if model:
            table, pairs = model._meta.db_table, self.pairs()
            new = ", ".join(f"coalesce(i.{staged}, t.{column})" for column, staged in pairs)
            old = ", ".join(f"t.{column}" for column, _staged in pairs)
            differs = f"OR ROW({new}) IS DISTINCT FROM ROW({old})" if pairs else ""
            self.do(
                f"UPDATE incoming i SET state = %s FROM {table} t"
                f" WHERE t.id = i.id AND NOT i.is_new AND (i.{self.kind.key} <> t.{self.kind.key} {differs})",
                CHANGE,
            )
        for link in self.plan.links:
            self.compare_links(link)
        if "contract" in self.plan.present and "tariff" in self.plan.present:
            self.do(
                "UPDATE incoming i SET state = %s FROM grid_contract t WHERE t.id = i.contract_id"
                " AND i.tariff <> t.tariff AND i.state = %s",
                CHANGE,
                SAME,
            )
        self.cursor.execute("SELECT state, count(*) FROM incoming GROUP BY state")
        self.plan.counts = {CREATE: 0, CHANGE: 0, SAME: 0} | dict(self.cursor.fetchall())

    def pairs(self) -> list[tuple[str, str]]:
        """(column of the model, staged column) of what the file fills."""
        staged_as = {"zone": "zone_id", "feeder": "feeder_id", "meter": "meter_id"}
        return [(column, staged_as.get(name, name)) for name, column in self.pairs_by_field()]

    def pairs_by_field(self) -> list[tuple[str, str]]:
        """(field, column of the model) of what the file fills."""
        return [(name, column) for name, column in self.kind.columns.items() if name in self.plan.present]

    def compare_links(self, link: Link) -> None:
        wish = f"wish_{link.other}"
        if self.kind.model:
            self.do(
                f"UPDATE incoming i SET state = %s FROM {wish} w"
                f" WHERE w.row = i.row AND w.state <> %s AND i.state = %s",
                CHANGE,
                SAME,
                SAME,
            )
        else:
            self.do(f"UPDATE incoming i SET state = w.state FROM {wish} w WHERE w.row = i.row")


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
