"""Links that a file wishes for, fitted into time: which known link each means, from when until when it holds, and which
cannot hold beside the others. A `wish` table for each sort of link; nothing of the grid is written."""
# ruff: noqa: S608 statements are made of our own names; what a file says travels as parameters or as staged rows

from django.utils.translation import gettext as _

from apps.faults import FileFault
from apps.grid.reference.kinds import Link
from apps.grid.reference.plan import CHANGE, CREATE, NAMELESS, SAME, Statements

MOST_ROUNDS = 8  # a refused row gives back the time that it claimed, so the others are fitted again


class Fitter(Statements):
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
