"""Pages about the quality of readings: what the rules caught, how much came, how the rules are set."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import F
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.grid.models import Consumer, Zone
from apps.readings.models import ReadingEdit
from apps.readings.validation import edits, reports, running
from apps.readings.validation.forms import EditForm, RulesForm

HITS_ON_A_PAGE = 40

may_see = permission_required("readings.view_validationhit", raise_exception=True)
may_set = permission_required("readings.change_validationrule", raise_exception=True)
may_edit = permission_required("readings.add_readingedit", raise_exception=True)


@require_safe
@may_see
@vary_on_headers("HX-Request")  # a browser that goes back must not show the fragment as the page
def data_quality(request):
    """Hits of the rules by rule, zone and week, the completeness of readings, and the hits one by one."""
    zones = list(Zone.objects.visible_to(request.user).defer("area"))
    hits = reports.newest_first(reports.of_user(request.user))
    chosen = reports.HitFilter(request.GET, queryset=hits, request=request)
    page = Paginator(chosen.qs.values_list("pk", flat=True), HITS_ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "filter": chosen,
        "page": page,
        "rows": reports.rows(request.user, page, zones),
        "narrowed": any(value for key, value in request.GET.items() if key != "page"),
    }
    if request.htmx:
        return render(request, "readings/_validation_hits.html", context)
    until, waiting = reports.data_until_and_waiting()
    context |= {"until": until, "days": reports.SHOWN_DAYS, "zones": zones}
    if until:
        context |= {
            "lines": reports.lines(request.user, zones, until),
            "worst": reports.worst_meters(request.user, zones, until),
            "completeness": reports.completeness(zones, until),
            "weeks": reports.TREND_WEEKS,
            "waiting": waiting,
            "parked": reports.parked(),
        }
    return render(request, "readings/validation.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@may_set
def validation_rules(request):
    """How the rules are set everywhere or in a zone; with htmx only what these settings would hit."""
    zones = Zone.objects.visible_to(request.user).defer("area")
    place = request.GET.get("zone", "")
    if not place and not request.user.sees_everything:
        first = zones.exclude(code=Zone.UNASSIGNED).first()
        return redirect(f"{request.path}?zone={first.code}") if first else render(request, "403.html", status=403)
    zone = get_object_or_404(zones, code=place) if place else None
    form = RulesForm(request.POST if request.method == "POST" else None, zone=zone)
    if request.method == "POST" and form.is_valid():
        if request.htmx:
            return render(request, "readings/_validation_dry_run.html", {"tried": form.tried()})
        if form.save():
            messages.success(request, _("The rules are set. All days are validated once more in the background."))
        else:
            messages.info(request, _("Nothing is set otherwise than it was."))
        return redirect(request.get_full_path())
    context = {"form": form, "zone": zone, "zones": zones, "may_set_everywhere": request.user.sees_everything}
    template = "readings/_validation_dry_run.html" if request.htmx else "readings/validation_rules.html"
    return render(request, template, context)


@require_POST
@may_set
def validation_retry(request):
    running.retry()
    return redirect(reverse("data_quality"))


@require_POST
@may_edit
def reading_edit(request, number: str):
    """Mark a day of a consumer's meter as suspect, or have an estimate stand in for it."""
    consumer = get_object_or_404(Consumer.objects.visible_to(request.user), number=number)
    form = EditForm(request.POST, consumer=consumer)
    if not form.is_valid():
        messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
        return redirect("consumer", number)
    try:
        done = edits.edit(**form.cleaned_data, by=request.user)
    except edits.EditRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request,
            _("%(day)s is %(done)s.") % {"day": date_format(done.day, "j M Y"), "done": done.get_verb_display()},
        )
    return redirect(f"{reverse('consumer', args=[number])}?day={form.cleaned_data['day'].isoformat()}")


@require_POST
@may_edit
def reading_edit_undo(request, pk: int):
    done = get_object_or_404(
        ReadingEdit.objects.visible_to(request.user)
        .select_related("meter")
        .annotate(consumer_number=F("fitted__consumer__number")),
        pk=pk,
    )
    try:
        edits.undo(edit=done, by=request.user)
    except edits.EditRefused as refusal:
        messages.error(request, str(refusal))
    if done.consumer_number is None:
        return redirect("data_quality")
    return redirect(f"{reverse('consumer', args=[done.consumer_number])}?day={done.day.isoformat()}")
