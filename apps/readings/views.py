import csv
from collections.abc import Iterator

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.readings import actions, files, importers
from apps.readings.columns import ROLES, columns_of
from apps.readings.date_order import DateOrder, Order
from apps.readings.forms import StatementForm, UploadForm, zone_proposals
from apps.readings.guessing import preview
from apps.readings.importers.base import FileFault
from apps.readings.models import Sender, Upload
from apps.readings.statements import Statement

UPLOADS_ON_A_PAGE = 50
REJECTED_SHOWN = 50
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

may_see = permission_required("readings.view_upload", raise_exception=True)
may_add = permission_required("readings.add_upload", raise_exception=True)


@may_see
@require_safe
def upload_list(request):
    visible = Upload.objects.visible_to(request.user)
    counts = dict(visible.order_by().values_list("status").annotate(count=Count("pk")))
    state = request.GET.get("state", "")
    chosen = visible.filter(status=state) if state in Upload.Status.values else visible
    page = Paginator(chosen.with_progress(), UPLOADS_ON_A_PAGE).get_page(request.GET.get("page"))
    states = [(value, label, counts[value]) for value, label in Upload.Status.choices if value in counts]
    context = {"page": page, "states": states, "state": state, "all": sum(counts.values())}
    return render(request, "readings/upload_list.html", context)


@may_add
@require_http_methods(["GET", "HEAD", "POST"])
def upload_new(request):
    form = UploadForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        try:
            upload, is_new = actions.receive(
                file=form.cleaned_data["file"],
                name=form.cleaned_data["file"].name,
                sender=form.cleaned_data["sender"],
                by=request.user,
                confirm=False,
            )
        except (files.TooLarge, files.DiskFull) as error:
            form.add_error("file", str(error))
        else:
            return _lead_to(request, upload, is_new)
    senders = Sender.objects.values_list("name", flat=True)
    return render(request, "readings/upload_new.html", {"form": form, "senders": senders})


def _lead_to(request, upload: Upload, is_new: bool) -> HttpResponse:
    if not is_new:
        messages.info(request, _("This very file is here already; this is its upload. Nothing was changed."))
    return redirect("upload", upload.pk)


@may_see
@require_safe
def upload(request, pk: int):
    found = _upload(request, pk)
    if found.status == Upload.Status.DRAFT:
        return _draft(request, found, _statement_form(found))
    template = "readings/_state.html" if request.htmx else "readings/upload.html"
    return render(request, template, _state_of(found))


@may_add
@require_POST
def upload_confirm(request, pk: int):
    found = _upload(request, pk)
    form = _statement_form(found, request.POST)
    if found.status == Upload.Status.DRAFT and (not form.is_valid() or request.htmx or "preview" in request.POST):
        return _draft(request, found, form)
    return _try(request, lambda: actions.confirm(upload=found, statement=form.cleaned_data, by=request.user), found)


@may_add
@require_POST
def upload_discard(request, pk: int):
    found = _upload(request, pk)
    return _try(request, lambda: actions.discard(upload=found, by=request.user), found)


@may_add
@require_POST
def upload_retry(request, pk: int):
    found = _upload(request, pk)
    return _try(request, lambda: actions.retry(upload=found, by=request.user), found)


@may_add
@require_POST
def upload_withdraw(request, pk: int):
    found = _upload(request, pk)
    return _try(request, lambda: actions.withdraw(upload=found, by=request.user), found)


@may_add
@require_POST
def upload_restore(request, pk: int):
    found = _upload(request, pk)
    return _try(request, lambda: actions.restore(upload=found, by=request.user), found)


@may_see
@require_safe
def upload_rejected(request, pk: int):
    found = _upload(request, pk)
    lines = found.rejected_lines.order_by("line", "pk").values_list("line", "reason", "text")
    response = StreamingHttpResponse(_csv(lines.iterator()), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="rejected-{found.pk}.csv"'
    return response


def _csv(lines: Iterator[tuple[int, str, str]]) -> Iterator[str]:
    class Echo:
        def write(self, text: str) -> str:
            return text

    # Quoted throughout: a spreadsheet may part cells at semicolons, and so make a new cell that begins as a formula.
    writer = csv.writer(Echo(), quoting=csv.QUOTE_NONNUMERIC)
    yield writer.writerow(["line", "reason", "content"])
    for line, reason, text in lines:
        # The content is a stranger's, and a spreadsheet would run it as a formula.
        yield writer.writerow([line, reason, f"'{text}" if text.startswith(FORMULA_STARTS) else text])


def _upload(request, pk: int) -> Upload:
    return get_object_or_404(Upload.objects.visible_to(request.user).with_progress(), pk=pk)


def _try(request, action, found: Upload) -> HttpResponse:
    try:
        action()
    except actions.MoveNotAllowed:
        messages.error(request, _("Meanwhile the upload has moved on, or the same file came in again."))
    return redirect("upload", found.pk)


def _statement_form(found: Upload, data: QueryDict | None = None) -> StatementForm:
    statement = Statement.of(found)
    columns = columns_of(found.path, statement) if found.status == Upload.Status.DRAFT else None
    return StatementForm(
        data,
        initial=statement.as_dict(),
        columns=columns,
        fixed=importers.fixed(statement.format),
        only_events=statement.format.endswith("_events"),
    )


def _draft(request, found: Upload, form: StatementForm) -> HttpResponse:
    stated = Statement.of(found).as_dict()
    if form.is_bound and form.is_valid():
        stated |= form.cleaned_data
    example, fault = None, ""
    try:
        example = preview(found.path, Statement(**stated))
    except FileFault as error:
        fault = str(error)
    context = {
        "upload": found,
        "form": form,
        "example": example,
        "fault": fault,
        "format": importers.BY_NAME[found.format].label,
        "chart": example and {"kwh": example.kwh, "interval_minutes": example.interval_minutes},
        "zones": zone_proposals(),
        "columns": form.columns,
        "roles": ROLES,
        "date_order": (example.date_order if example else None) or DateOrder.of(stated),
        "date_orders": Order.choices,
    }
    return render(request, "readings/_example.html" if request.htmx else "readings/draft.html", context)


def _state_of(found: Upload) -> dict:
    format_ = importers.BY_NAME.get(found.format)
    return {
        "upload": found,
        "format": format_.label if format_ else "",
        "only_events": found.format.endswith("_events"),
        "fixed": importers.fixed(found.format),
        "progress": getattr(found, "progress", None),
        "rejected": found.rejected_lines.order_by("line", "pk")[:REJECTED_SHOWN] if found.rejected else [],
        "rejected_shown": REJECTED_SHOWN,
        "date_order": Statement.of(found).order,
        "held": found.held.order_by("serial"),
        "columns_said": [
            (ROLES[role], name) for role, name in found.columns.items() if role in ROLES and role != "ignored"
        ],
    }
