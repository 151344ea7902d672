"""What the first screen says: what to do next, what is going on, and whether the pipeline runs."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt

from django.db import connection
from django.db.models import Count, Max, Min, Q, QuerySet, Sum, Value
from django.db.models.functions import TruncWeek
from django.utils import timezone

from apps.accounts.models import User
from apps.cases import live
from apps.cases.filters import LATE_AFTER, late
from apps.cases.models import Case
from apps.detection.models import RiskLevel, RiskScore, ScoringShard
from apps.grid.models import Zone
from apps.inspections.models import FINDS, Inspection, Outcome
from apps.readings.models import Upload

ROWS = 8
WEEKS = 26
WEEKS_SHOWN = 8
RECENT_UPLOADS = 20
NEWEST = """
SELECT (SELECT max(id) FROM cases_caseevent), (SELECT max(id) FROM detection_riskscore),
       (SELECT max(id) FROM detection_scoringshard WHERE status = 'failed'),
       (SELECT hashtext(string_agg(id || status, ' ')) FROM (
           SELECT id, status FROM readings_upload ORDER BY id DESC LIMIT %s) AS recent)
"""
# The timetable looks every minute; what waits much longer waits for a worker that is not there.
WORKER_EXPECTED_WITHIN = timedelta(minutes=3)


@dataclass(frozen=True)
class Week:
    monday: date
    opened: int
    closed: int
    visits: int  # that reached the meter
    finds: int
    recovered_kwh: float = 0

    @property
    def hit_rate(self) -> float | None:
        return self.finds / self.visits if self.visits else None


@dataclass(frozen=True)
class Pipeline:
    waiting: int
    waiting_since: datetime | None
    drafts: int
    failed: int
    parked_shards: int

    @property
    def has_no_worker(self) -> bool:
        return self.waiting_since is not None and timezone.now() - self.waiting_since > WORKER_EXPECTED_WITHIN

    @property
    def is_calm(self) -> bool:
        return not (self.waiting or self.drafts or self.failed or self.parked_shards)


def version() -> str:
    """Of all that the first screen counts, for whomever: cases, scores, and the uploads that are under way."""
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, [RECENT_UPLOADS])
        return live.version(*cursor.fetchone())


def everything(user: User) -> dict:
    scores = scores_by_level(user)
    zones = hot_zones(user)
    weeks = trend(user)
    takes_cases, hands_out = user.has_perm("cases.change_case"), user.has_perm("cases.assign_case")
    mine = list(open_cases(user).filter(assignee=user).for_queue()[:ROWS]) if takes_cases else []
    unassigned = list(open_cases(user).filter(assignee=None).for_queue()[:ROWS])
    return {
        "cases": case_counts(user),
        "takes_cases": takes_cases,
        "hands_out": hands_out,
        "mine": mine,
        "unassigned": unassigned,
        # A case whose visit is planned waits for the crew, and the next one does not.
        "next_case": next((case for case in [*mine, *unassigned] if case.status != Case.Status.VISIT), None),
        "loads": loads(user) if hands_out else [],
        "levels": {level: scores.get(level, {}).get("consumers", 0) for level in RiskLevel.values},
        "data_until": max((row["until"] for row in scores.values() if row["until"]), default=None),
        "zones": zones,
        "consumers": sum(zone.consumers_here for zone in zones),
        "uploads": Upload.objects.visible_to(user).exclude(status=Upload.Status.DISCARDED).order_by("-at")[:5],
        "pipeline": pipeline(user),
        "weeks": weeks[:WEEKS_SHOWN],
        "busiest": max((week.opened for week in weeks[:WEEKS_SHOWN]), default=0),
        "all_weeks": WEEKS,
        "hit_rate": hit_rate(weeks),
        "late_days": LATE_AFTER.days,
    }


def open_cases(user: User) -> QuerySet[Case]:
    return Case.objects.visible_to(user).not_closed()


def loads(user: User) -> list[dict]:
    """Who has how many of the open cases, the most loaded first: `pk`, `name`, `open`, `visits` and `late`."""
    counted = (
        open_cases(user)
        .exclude(assignee=None)
        .order_by()
        .values("assignee", "assignee__first_name", "assignee__username")
        .annotate(
            open=Count("pk"),
            visits=Count("pk", filter=Q(status=Case.Status.VISIT)),
            late=Count("pk", filter=Q(pk__in=late(Case.objects.all()))),
        )
    )
    return [
        {**row, "pk": row["assignee"], "name": row["assignee__first_name"] or row["assignee__username"]}
        for row in counted.order_by("-open", "assignee__username")
    ]


def case_counts(user: User) -> dict[str, int]:
    nobody = Q(assignee=None)
    return open_cases(user).aggregate(
        open=Count("pk"),
        mine=Count("pk", filter=Q(assignee=user)),
        unassigned=Count("pk", filter=nobody),
        unassigned_critical=Count("pk", filter=nobody & Q(level=RiskLevel.CRITICAL)),
        visits=Count("pk", filter=Q(status=Case.Status.VISIT)),
        late=Count("pk", filter=Q(pk__in=late(Case.objects.all()))),
    )


def scores_by_level(user: User) -> dict[str, dict]:
    rows = RiskScore.objects.visible_to(user).current().values("level")
    return {row["level"]: row for row in rows.annotate(consumers=Count("pk"), until=Max("data_until"))}


def hot_zones(user: User) -> list[Zone]:
    """Zones with consumers, the highest rate of high and critical first; `hot` and `consumers_here` are counts."""
    hot = Q(consumers__standing__score__level__in=[RiskLevel.HIGH, RiskLevel.CRITICAL])
    zones = Zone.objects.filter(pk__in=Zone.objects.visible_to(user).values("pk")).annotate(
        consumers_here=Count("consumers"), hot=Count("consumers", filter=hot)
    )
    found = [zone for zone in zones.defer("area") if zone.consumers_here]
    for zone in found:
        zone.hot_rate = zone.hot / zone.consumers_here
    return sorted(found, key=lambda zone: (-zone.hot_rate, zone.name))


def pipeline(user: User) -> Pipeline:
    status = Upload.Status
    uploads = Upload.objects.visible_to(user).aggregate(
        waiting=Count("pk", filter=Q(status=status.PENDING)),
        waiting_since=Min("at", filter=Q(status=status.PENDING, progress=None)),
        drafts=Count("pk", filter=Q(status=status.DRAFT)),
        failed=Count("pk", filter=Q(status=status.FAILED, at__gte=timezone.now() - timedelta(days=7))),
    )
    return Pipeline(**uploads, parked_shards=ScoringShard.objects.parked().count())


def trend(user: User) -> list[Week]:
    """The last WEEKS weeks, newest first; empty before anything happened."""
    today = timezone.localdate()
    monday = today - timedelta(days=today.weekday())
    first = monday - timedelta(weeks=WEEKS - 1)
    cases = Case.objects.visible_to(user).order_by()
    opened = cases.filter(opened_at__date__gte=first).values_list(TruncWeek("opened_at"), Value("opened"))
    # By the case and not by its history: a closing that was taken back is none.
    closed = cases.filter(closed_at__date__gte=first).values_list(TruncWeek("closed_at"), Value("closed"))
    counted = opened.annotate(Count("pk")).union(closed.annotate(Count("pk")), all=True)
    moved = {(week.date(), what): count for week, what, count in counted}
    reached = Inspection.objects.visible_to(user).standing().exclude(outcome=Outcome.NO_ACCESS)
    visited = {
        week: (visits, finds, recovered or 0)
        for week, visits, finds, recovered in reached.filter(inspected_on__gte=first)
        .annotate(week=TruncWeek("inspected_on"))
        .order_by()
        .values_list("week")
        .annotate(visits=Count("pk"), finds=Count("pk", filter=Q(outcome__in=FINDS)), recovered=Sum("recovered_kwh"))
    }
    weeks = [
        Week(day, moved.get((day, "opened"), 0), moved.get((day, "closed"), 0), *visited.get(day, (0, 0)))
        for day in (monday - timedelta(weeks=back) for back in range(WEEKS))
    ]
    return weeks if any(week.opened or week.closed or week.visits for week in weeks) else []


@dataclass(frozen=True)
class HitRate:
    rate: float
    low: float  # 95 % Wilson interval
    high: float
    finds: int
    visits: int


def hit_rate(weeks: list[Week]) -> HitRate | None:
    """Of the visits that reached the meter, how many found something; None without visits."""
    return wilson(sum(week.finds for week in weeks), sum(week.visits for week in weeks))


def wilson(finds: int, visits: int) -> HitRate | None:
    """The rate of finds with its 95 % Wilson interval; None without visits."""
    if not visits:
        return None
    z, rate = 1.96, finds / visits
    centre = (rate + z**2 / (2 * visits)) / (1 + z**2 / visits)
    half = z * sqrt(rate * (1 - rate) / visits + z**2 / (4 * visits**2)) / (1 + z**2 / visits)
    return HitRate(rate, max(centre - half, 0), min(centre + half, 1), finds, visits)
