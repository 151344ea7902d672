"""Pages that follow what happens.

A part of a page that does carries the version that it shows and asks for the next one every few seconds (`_live.html`,
`static/app.js`). While there is none the answer is 204, which costs one small query and changes nothing on the page.
"""

from django.db.models import Max, QuerySet
from django.http import HttpResponse

from apps.cases.models import Case, CaseEvent
from apps.grid.models import Consumer

SEEN = "seen"


def seen(request) -> str | None:
    """The version that the asking part shows; None for a request that is no such question.

    It is taken out of the query, from which the part makes its links.
    """
    if SEEN not in request.GET or not request.htmx:
        return None
    query = request.GET.copy()
    found = query.pop(SEEN)[-1]
    request.GET, request.META["QUERY_STRING"] = query, query.urlencode()
    return found


def nothing_new() -> HttpResponse:
    return HttpResponse(status=204)


def version(*parts: object) -> str:
    return "v" + "-".join("" if part is None else str(part) for part in parts)


def cases_version() -> str:
    """Of everybody's cases: each change of one is an event."""
    return version(CaseEvent.objects.aggregate(last=Max("pk"))["last"])


def case_version(cases: QuerySet[Case], pk: int) -> str | None:
    """Of one case and what the models think of its consumer by now; None where it is not among these."""
    found = cases.filter(pk=pk).annotate(last=Max("history__pk")).values_list("last", "consumer__standing__score")
    return next((version(*parts) for parts in found), None)


def consumer_version(consumer: Consumer) -> str:
    """Of the score that stands for a consumer, and its cases: `last_event` is the newest of their events."""
    return version(consumer.standing.score_id if hasattr(consumer, "standing") else None, consumer.last_event)
