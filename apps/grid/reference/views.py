import csv
from collections.abc import Iterable, Iterator

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.grid.models import Consumer, Feeder, Meter, ReferenceImport, Transformer, Zone
from apps.grid.reference import actions, kinds, replacing
from apps.grid.reference.forms import MeaningForm, ReferenceUploadForm, ReplaceMeterForm

IMPORTS_ON_A_PAGE = 50
REFUSED_SHOWN = 50
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

may_see = permission_required("grid.view_referenceimport", raise_exception=True)
may_add = permission_required("grid.add_referenceimport", raise_exception=True)


@may_see
@require_safe
def reference_list(request):
    visible = ReferenceImport.objects.visible_to(request.user).defer("preview", "refused_lines")
    page = Paginator(visible.select_related("by"), IMPORTS_ON_A_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "known": known(request.user), "kinds": kinds.KINDS.values()}
    return render(request, "grid/reference_list.html", context)


def known(user) -> list[tuple[str, int]]:
    """How many of each sort this person sees."""
    zones = Zone.objects.visible_to(user)
    consumers = Consumer.objects.visible_to(user)
    everything = user.sees_everything
    feeders = Feeder.objects.all() if everything else Feeder.objects.filter(zone__in=zones)
    transformers = Transformer.objects.all() if everything else Transformer.objects.filter(feeder__zone__in=zones)
    meters = (
        Meter.objects.all() if everything else Meter.objects.filter(installations__consumer__in=consumers).distinct()
    )
    return [
        (_("zones"), zones.exclude(code=Zone.UNASSIGNED).count()),
        (_("feeders"), feeders.count()),
        (_("transformers"), transformers.count()),
        (_("meters"), meters.count()),
        (_("consumers"), consumers.count()),
    ]


@may_add
@require_http_methods(["GET", "HEAD", "POST"])
def reference_new(request):
    form = ReferenceUploadForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            found = actions.receive(
                content=actions.received(file.chunks()),
                name=file.name,
                sender=form.cleaned_data["sender"],
                by=request.user,
            )
        except actions.NotKept as error:
            form.add_error("file", str(error))
        else:
            return redirect("reference", found.pk)
    mine = ReferenceImport.objects.visible_to(request.user)
    senders = mine.values_list("sender", flat=True).order_by("sender").distinct()[:100]
    context = {"form": form, "senders": senders, "kinds": kinds.KINDS.values()}
    return render(request, "grid/reference_new.html", context)


@may_see
@require_safe
def reference(request, pk: int):
    return _page(request, actions.check_again(reference=_reference(request, pk)))


def _page(request, found: ReferenceImport, form: MeaningForm | None = None) -> HttpResponse:
    if found.status == ReferenceImport.Status.DRAFT and form is None:
        form = MeaningForm(found)
    context = {
        "reference": found,
        "form": form,
        "tiles": settings.MAP_TILES_URL,
        "refused_lines": found.refused_lines[:REFUSED_SHOWN],
        "unknown_columns": _unused(found),
    }
    return render(request, "grid/_reference.html" if request.htmx else "grid/reference.html", context)


def _unused(found: ReferenceImport) -> list[str]:
    """Columns that nothing is taken from."""
    return [name for name, _cells in found.preview.get("source", []) if name not in found.columns.values()]


@may_add
@require_POST
def reference_confirm(request, pk: int):
    """Apply a draft; or, where a person corrected what the file means, check it again."""
    found = _reference(request, pk)
    if found.status != ReferenceImport.Status.DRAFT:
        return _moved_on(request, found)
    form = MeaningForm(found, request.POST)
    if not form.is_valid():
        return _page(request, found, form)
    stated = form.stated()
    # What nobody has seen the effect of is shown first.
    seen = all(getattr(found, name) == value for name, value in stated.items() if name != "strict")
    confirm = "apply" in request.POST and not request.htmx and seen
    try:
        found = actions.restate(reference=found, confirm=confirm, **stated)
    except actions.MoveNotAllowed:
        return _moved_on(request, found)
    return _page(request, found) if request.htmx else redirect("reference", found.pk)


@may_add
@require_POST
def reference_discard(request, pk: int):
    found = _reference(request, pk)
    try:
        actions.discard(reference=found)
    except actions.MoveNotAllowed:
        return _moved_on(request, found)
    return redirect("reference_list")


@may_add
@require_POST
def reference_undo(request, pk: int):
    found = _reference(request, pk)
    try:
        found = actions.undo(reference=found, by=request.user)
    except actions.MoveNotAllowed:
        return _moved_on(request, found)
    if found.status == ReferenceImport.Status.UNDONE:
        messages.success(request, _("Everything is as it was before this import."))
    return redirect("reference", found.pk)


@may_see
@require_safe
def reference_refused(request, pk: int):
    found = _reference(request, pk)
    rows = (["line", "reason", "content"], *found.refused_lines)
    return _csv(f"refused-{found.pk}.csv", rows)


@may_see
@require_safe
def reference_example(request, kind: str):
    """A file of this kind with one row, to be filled in."""
    if kind not in kinds.KINDS:
        raise Http404
    fields = kinds.KINDS[kind].fields
    return _csv(f"{kind}.csv", [[kinds.heading(one) for one in fields], [one.example for one in fields]])


@may_add
@require_http_methods(["GET", "HEAD", "POST"])
def meter_replace(request, number: str):
    consumer = get_object_or_404(Consumer.objects.visible_to(request.user), number=number)
    form = ReplaceMeterForm(consumer, request.POST or None)
    if form.is_valid():
        found = replacing.replace_meter(consumer=consumer, by=request.user, **form.cleaned_data)
        if found.status != ReferenceImport.Status.FAILED:
            messages.success(request, _("The meter is replaced. Grid data lists the change, and can take it back."))
            return redirect("consumer", consumer.number)
        form.add_error(None, replacing.why_not(found))
    return render(request, "grid/meter_replace.html", {"consumer": consumer, "form": form, "current": form.current})


def _reference(request, pk: int) -> ReferenceImport:
    return get_object_or_404(ReferenceImport.objects.visible_to(request.user).select_related("by", "undone_by"), pk=pk)


def _moved_on(request, found: ReferenceImport) -> HttpResponse:
    messages.error(request, _("Meanwhile the import has moved on."))
    return redirect("reference", found.pk)


def _csv(name: str, rows: Iterable[list]) -> StreamingHttpResponse:
    class Echo:
        def write(self, text: str) -> str:
            return text

    def lines() -> Iterator[str]:
        # Quoted throughout: a spreadsheet may part cells at semicolons, and make a new cell that begins as a formula.
        writer = csv.writer(Echo(), quoting=csv.QUOTE_NONNUMERIC)
        for row in rows:
            # The content is a stranger's, and a spreadsheet would run it as a formula.
            yield writer.writerow(
                f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell for cell in row
            )

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
