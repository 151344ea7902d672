import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required, permission_required
from django.core.paginator import Paginator
from django.db import DatabaseError, connection
from django.db.models import Max
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from apps.cases import casefile, live
from apps.cases.filters import chosen_only
from apps.detection import reasons
from apps.detection.models import RiskLevel
from apps.grid.models import Consumer, Transformer, Zone
from apps.overview import analytics, balances, history, places, zeros
from apps.overview import home as first_screen
from apps.overview.search import WITHIN_METRES, ConsumerFilter, for_list

CONSUMERS_ON_A_PAGE = 40
BALANCES_ON_A_PAGE = 40

may_see_cases = permission_required("cases.view_case", raise_exception=True)
may_see_consumers = permission_required("grid.view_consumer", raise_exception=True)


@require_safe
@may_see_cases
@vary_on_headers("HX-Request")
def home(request):
    seen, version = live.seen(request), first_screen.version()
    if seen == version:
        return live.nothing_new()
    template = "overview/home.html" if seen is None else "overview/_home.html"
    return render(request, template, {**first_screen.everything(request.user), "version": version})


@require_safe
@login_not_required
@never_cache
def health(request):
    """For load balancers: 200 when the database answers. Without Redis the site still works, only later."""
    found = {"database": database_answers(), "redis": redis_answers()}
    return JsonResponse(found, status=200 if found["database"] else 503)


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def redis_answers() -> bool:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5)
    try:
        return client.ping()
    except redis.RedisError:
        return False
    finally:
        client.close()


@require_safe
@may_see_consumers
@vary_on_headers("HX-Request")  # a browser that goes back must not show the fragment as the page
def consumer_search(request):
    chosen = ConsumerFilter(request.GET, queryset=for_list(request.user), request=request)
    context = {
        "filter": chosen,
        "page": Paginator(chosen.qs, CONSUMERS_ON_A_PAGE).get_page(request.GET.get("page")),
        "narrowed": any(value for key, value in request.GET.items() if key not in {"page", "within"}),
        "within": request.GET.get("within") or WITHIN_METRES,
        "tiles": settings.MAP_TILES_URL,
    }
    if not request.htmx:
        return render(request, "overview/consumers.html", context)
    response = render(request, "overview/_consumers.html", context)
    response["HX-Replace-Url"] = chosen_only(request)
    return response


@require_safe
@may_see_consumers
@vary_on_headers("HX-Request")
def consumer(request, number: str):
    visible = Consumer.objects.visible_to(request.user).annotate(last_event=Max("cases__history"))
    visible = visible.select_related("zone", "standing__score")
    found = get_object_or_404(visible, number=number)
    seen, version = live.seen(request), live.consumer_version(found)
    if seen == version:
        return live.nothing_new()
    score = found.standing.score if hasattr(found, "standing") else None
    evidence = casefile.evidence(found, request.user, score and score.onset_on)
    if score and score.score is None and not evidence.installations:
        score = None  # it counted the days of a meter that is somebody else's by now
    cases = list(found.cases.select_related("inspection", "assignee").order_by("-opened_at"))
    scores = history.scores_of(found)
    periods = history.billing_periods(evidence)
    context = {
        "consumer": found,
        "score": score,
        "summary": score and reasons.summary(score),
        "reasons": casefile.worded(score) if score else [],
        "evidence": evidence,
        "taken_by": None if evidence.installations else history.taken_by(found, request.user),
        "suspicion": score and casefile.suspicion(score, evidence),
        "balance": casefile.balance_at(found, evidence, request.user),
        "chart": casefile.chart(evidence, score),
        "place": casefile.place(found, evidence),
        "currency": settings.CURRENCY,
        "tiles": settings.MAP_TILES_URL,
        "open_case": next((case for case in cases if case.status != case.Status.CLOSED), None),
        "timeline": history.timeline(scores, cases, evidence),
        "scores": scores,
        "sparkline": history.sparkline(scores),
        "periods": periods,
        "steps": history.steps(periods),
        "version": version,
    }
    return render(request, "overview/consumer.html" if seen is None else "overview/_consumer_live.html", context)


@require_safe
@permission_required("detection.view_modelversion", raise_exception=True)
def analytics_page(request):
    source = analytics.chosen(request.GET.get("model", ""), request.GET.get("report", ""))
    return render(request, "overview/analytics.html", analytics.everything(request.user, source))


@require_safe
@permission_required("detection.view_energybalance", raise_exception=True)
@vary_on_headers("HX-Request")  # a browser that goes back must not show the fragment as the page
def balance_list(request):
    """Transformers by the energy that they lose a day and that nothing explains."""
    chosen = balances.BalanceFilter(request.GET, queryset=balances.for_list(request.user), request=request)
    page = Paginator(chosen.qs, BALANCES_ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "filter": chosen,
        "page": page,
        "rows": balances.rows(request.user, page),
        "narrowed": any(value for key, value in request.GET.items() if key != "page"),
    }
    if not request.htmx:
        return render(request, "overview/balance_list.html", context)
    response = render(request, "overview/_balances.html", context)
    response["HX-Replace-Url"] = chosen_only(request)
    return response


@require_safe
@permission_required("detection.view_energybalance", raise_exception=True)
def balance(request, pk: int):
    """One transformer: what it delivered and what was reported, day by day, and everybody whom it feeds."""
    zones = Zone.objects.visible_to(request.user)
    visible = Transformer.objects.filter(feeder__zone__in=zones).select_related("feeder__zone", "sum_meter")
    found = get_object_or_404(visible, pk=pk)
    return render(request, "overview/balance.html", balances.at_transformer(request.user, found))


@require_safe
@may_see_consumers
def zero_queue(request):
    """Meters that register nothing, by what their contracts say."""
    found = zeros.for_list(request.user)
    contract = request.GET.get("contract", zeros.Contract.ACTIVE)
    if contract not in zeros.Contract.values:
        contract = zeros.Contract.ACTIVE
    page = Paginator(found.filter(contract=contract), CONSUMERS_ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [(consumer, zeros.since(consumer)) for consumer in page],
        "contract": zeros.Contract(contract),
        "counts": zeros.counts(found),
        "days": zeros.ZERO_DAYS,
    }
    return render(request, "overview/zeros.html", context)


@require_safe
@may_see_consumers
def map_page(request):
    context = {
        "zones": first_screen.hot_zones(request.user),
        "without_place": places.without_place(request.user),
        "tiles": settings.MAP_TILES_URL,
        "most": places.MOST_FEATURES,
        "levels": RiskLevel.values,
        "words": places.words(),
        "extent": places.extent(request.user),
    }
    return render(request, "overview/map.html", context)


@require_safe
@may_see_consumers
def map_data(request):
    """GeoJSON of one layer; 400 with the reason when the question makes no sense or asks for too much."""
    write, widest = places.LAYERS.get(request.GET.get("layer", "consumers"), (None, None))
    if write is None:
        return JsonResponse({"error": "layer"}, status=400)
    try:
        asked = places.question(request.GET, widest)
    except places.BadQuestion as refusal:
        return JsonResponse({"error": str(refusal)}, status=400)
    return HttpResponse(write(request.user, asked), content_type="application/geo+json")
