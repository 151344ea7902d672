"""What the staged rows would change: known things found, links fitted into time (`fitting`), and what cannot be refused
by row.

Everything here works on whole tables of the transaction: `incoming` (a row for each row of the file), and a `wish`
table for each sort of link. Nothing of the grid is written.
"""
# ruff: noqa: S608 statements are made of our own names; what a file says travels as parameters or as staged rows

from django.db import connection
from django.utils.translation import gettext as _

from apps.grid.models import Consumer, Feeder, Meter, Transformer, Zone
from apps.grid.reference.fitting import Fitter
from apps.grid.reference.kinds import Link
from apps.grid.reference.plan import CHANGE, CREATE, NAMELESS, SAME, Plan, Statements

NEAR_DEGREES = 1.0  # some 100 km around everything that is known


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


class Planner(Statements):
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
        Fitter(self.cursor, self.plan).fit_links()
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
                _("it lies far from all that is known here, and would not with longitude and latitude exchanged"),
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

    # --- What differs -------------------------------------------------------------------------------------------------

    def compare(self) -> None:
        model = self.kind.model
        if model:
            table, pairs = model._meta.db_table, self.plan.pairs()
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
