"""A plan into the grid: everything in the caller's transaction, by whole tables, each row noted in the journal."""
# ruff: noqa: S608 statements are made of our own names; what a file says travels as parameters or as staged rows

from django.db import connection
from django.utils.translation import gettext as _

from apps.grid.models import Consumer, Contract, Feeder, Installation, Meter, ReferenceImport, Transformer, Zone
from apps.grid.reference.journal import Journal, relations
from apps.grid.reference.kinds import Link
from apps.grid.reference.plan import CHANGE, NAMELESS, SAME, Plan

# What a new row holds where the file says nothing.
DEFAULTS = {
    Zone: {"name": "i.code", "price_per_kwh": "0"},
    Feeder: {},
    Transformer: {},
    Consumer: {"name": "''", "address": "''", "kind": "'unknown'"},
    Meter: {"kind": "'consumer'"},
}  # fmt: skip


class Conflict(Exception):
    """Somebody else made the same things at this very moment: the next attempt finds them."""


def apply(plan: Plan, reference: ReferenceImport, progress) -> None:
    with connection.cursor() as cursor:
        Applier(cursor, plan, reference).run(progress)


class Applier:
    def __init__(self, cursor, plan: Plan, reference: ReferenceImport):
        self.cursor, self.plan, self.kind = cursor, plan, plan.kind
        self.journal = Journal(reference)

    def do(self, statement: str, *params) -> int:
        self.cursor.execute(statement, params)
        return self.cursor.rowcount

    def run(self, progress) -> None:
        progress.say(0.7, _("Writing"))
        self.add_meters()
        self.add_contracts()
        if self.kind.model:
            self.change_things()
            self.add_things()
        progress.say(0.85, _("Writing links"))
        for link in self.plan.links:
            self.write_links(link)
        if "meter" in self.plan.present:
            self.delete_spent()

    def add(self, model, statement: str, wanted: str, *params) -> None:
        self.cursor.execute(f"SELECT count(*) FROM ({wanted}) AS wanted")
        count = self.cursor.fetchone()[0]
        if not count:
            return
        if self.do(statement, *params) != count:
            raise Conflict
        self.journal.created(model, wanted)

    def add_meters(self) -> None:
        is_sum = self.kind.model is Transformer
        wanted = "SELECT DISTINCT n.id FROM new_meter n JOIN incoming i ON i.meter_id = n.id"
        self.add(
            Meter,
            f"INSERT INTO grid_meter (id, serial, kind) SELECT id, name, %s FROM new_meter WHERE id IN ({wanted})"
            " ORDER BY name ON CONFLICT (serial) DO NOTHING",
            wanted,
            Meter.Kind.SUM if is_sum else Meter.Kind.CONSUMER,
        )
        if is_sum and "meter" in self.plan.present:
            self.make_sum_meters()

    def make_sum_meters(self) -> None:
        """Meters that a consumer without a name stood for until somebody said what they measure."""
        other = "SELECT m.id FROM grid_meter m JOIN incoming i ON i.meter_id = m.id WHERE m.kind <> 'sum'"
        self.journal.before(Meter, other)
        self.do(f"UPDATE grid_meter SET kind = 'sum' WHERE id IN ({other})")
        self.journal.after(Meter)
        self.do("DROP TABLE IF EXISTS nameless")
        self.do(f"CREATE TEMPORARY TABLE nameless ON COMMIT DROP AS {NAMELESS}")
        stood = "SELECT l.id FROM grid_installation l JOIN nameless n USING (meter_id, consumer_id)"
        self.journal.before(Installation, stood)
        self.do(f"DELETE FROM grid_installation WHERE id IN ({stood})")
        self.journal.after(Installation)

    def add_contracts(self) -> None:
        if "contract" not in self.plan.present:
            return
        wanted = "SELECT DISTINCT n.id FROM new_contract n JOIN incoming i ON i.contract_id = n.id"
        self.add(
            Contract,
            "INSERT INTO grid_contract (id, number, tariff) SELECT n.id, n.name, coalesce(max(i.tariff), '')"
            " FROM new_contract n JOIN incoming i ON i.contract_id = n.id GROUP BY n.id, n.name ORDER BY n.name"
            " ON CONFLICT (number) DO NOTHING",
            wanted,
        )
        other = "SELECT t.id FROM grid_contract t JOIN incoming i ON i.contract_id = t.id WHERE i.tariff <> t.tariff"
        self.journal.before(Contract, other)
        self.do(
            "UPDATE grid_contract t SET tariff = i.tariff FROM incoming i"
            " WHERE i.contract_id = t.id AND i.tariff <> t.tariff"
        )
        self.journal.after(Contract)

    def change_things(self) -> None:
        model, key = self.kind.model, self.kind.key
        table, pairs = model._meta.db_table, self.plan.pairs()
        changed = f"SELECT id FROM incoming WHERE state = '{CHANGE}' AND NOT is_new"
        self.journal.before(model, changed)
        columns = "".join(f", {column} = coalesce(i.{staged}, t.{column})" for column, staged in pairs)
        if model is Transformer:
            # Let go of first, so that two may exchange what only one can have.
            self.do(
                "UPDATE grid_transformer t SET sum_meter_id = NULL FROM incoming i"
                " WHERE t.id = i.id AND i.meter_id <> t.sum_meter_id"
            )
        self.do(
            f"UPDATE {table} t SET {key} = i.{key}{columns} FROM incoming i WHERE t.id = i.id AND t.id IN ({changed})"
        )
        self.journal.after(model)

    def add_things(self) -> None:
        model, key = self.kind.model, self.kind.key
        pairs = dict(self.plan.pairs())
        defaults = DEFAULTS[model]
        if model is Consumer:
            defaults = {**defaults, "zone_id": str(Zone.objects.unassigned().pk)}
        values = {column: f"i.{staged}" for column, staged in pairs.items()}
        for column, default in defaults.items():
            values[column] = f"coalesce({values[column]}, {default})" if column in values else default
        wanted = "SELECT id FROM incoming WHERE is_new"
        self.add(
            model,
            f"INSERT INTO {model._meta.db_table} ({', '.join(['id', key, *values])})"
            f" SELECT {', '.join(['i.id', f'i.{key}', *values.values()])} FROM incoming i WHERE is_new"
            f" ORDER BY i.{key} ON CONFLICT ({key}) DO NOTHING",
            wanted,
        )

    def write_links(self, link: Link) -> None:
        """Changed links are taken out and put back with their new days: no order of updates can trip over the rule that
        nobody has two at once."""
        wish, cut, other = f"wish_{link.other}", f"cut_{link.other}", f"{link.other}_id"
        extras = [column for column, _staged in link.extras]
        mine = f"SELECT old_id FROM {wish} WHERE state = '{CHANGE}' UNION SELECT id FROM {cut}"
        self.journal.before(link.model, mine)
        self.do("DROP TABLE IF EXISTS taken_out")
        self.do(f"CREATE TEMPORARY TABLE taken_out ON COMMIT DROP AS SELECT * FROM {link.table} WHERE id IN ({mine})")
        self.do(f"DELETE FROM {link.table} WHERE id IN (SELECT id FROM taken_out)")
        self.do(f"UPDATE taken_out t SET valid = c.valid FROM {cut} c WHERE c.id = t.id")
        kept = "".join(f", {column} = coalesce(w.{column}, t.{column})" for column in extras)
        self.do(
            f"UPDATE taken_out t SET valid = w.valid, consumer_id = w.consumer_id{kept} FROM {wish} w"
            f" WHERE w.old_id = t.id AND w.state <> '{SAME}'"
        )
        self.do(f"INSERT INTO {link.table} SELECT * FROM taken_out")
        self.journal.after(link.model)
        columns = "".join(f", {column}" for column in extras)
        # A contract is active unless the file says something else.
        values = "".join(
            f", coalesce(w.{column}, 'active') AS {column}" if column == "status" else f", w.{column}"
            for column in extras
        )
        self.do(
            f"CREATE TEMPORARY TABLE made ON COMMIT DROP AS SELECT"
            f" nextval(pg_get_serial_sequence('{link.table}', 'id')) AS id, w.consumer_id, w.other_id, w.valid{values}"
            f" FROM {wish} w WHERE w.old_id IS NULL"
        )
        self.do(
            f"INSERT INTO {link.table} (id, consumer_id, {other}, valid{columns})"
            f" SELECT id, consumer_id, other_id, valid{columns} FROM made ORDER BY consumer_id"
        )
        self.journal.created(link.model, "SELECT id FROM made")
        self.do("DROP TABLE made")

    def delete_spent(self) -> None:
        """Consumers that stood for an unknown meter, which this import gave to the one whom it really measures."""
        self.cursor.execute("SELECT to_regclass('pg_temp.nameless') IS NOT NULL")
        if not self.cursor.fetchone()[0]:
            return
        unused = "".join(
            f" AND NOT EXISTS (SELECT FROM {table} o WHERE o.{column} = n.consumer_id)"
            for table, column, _plural in relations(Consumer)
        )
        self.do(
            f"CREATE TEMPORARY TABLE spent ON COMMIT DROP AS"
            f" SELECT DISTINCT n.consumer_id AS id FROM nameless n WHERE TRUE{unused}"
        )
        self.journal.before(Consumer, "SELECT id FROM spent")
        self.do("DELETE FROM grid_consumer WHERE id IN (SELECT id FROM spent)")
        self.journal.after(Consumer)
