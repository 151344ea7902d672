from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.cases import actions, casefile, live, workflow
from apps.cases.filters import CaseFilter, chosen_only, columns, counts_by_level, investigators, investigators_of
from apps.cases.forms import AssignForm, BulkAssignForm, CloseForm, MoveForm, NoteForm
from apps.cases.models import Case
from apps.inspections.models import Outcome
from apps.readings.models import Upload

CASES_ON_A_PAGE = 25
STILL_SCORING = timedelta(minutes=3)

may_see = permission_required("cases.view_case", raise_exception=True)
may_change = permission_required("cases.change_case", raise_exception=True)


@may_see
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")  # a browser that goes back must not show the fragment as the page
def case_queue(request):
    visible = Case.objects.visible_to(request.user)
    if request.method == "POST":
        return _assign_in_bulk(request, visible)
    seen, version = live.seen(request), live.cases_version()
    if seen == version:
        return live.nothing_new()
    chosen = CaseFilter(request.GET, queryset=visible.for_queue().select_related("inspection"), request=request)
    other_levels = request.GET.copy()
    other_levels.pop("level", None)
    context = {
        "filter": chosen,
        "page": Paginator(chosen.qs, CASES_ON_A_PAGE).get_page(request.GET.get("page")),
        "levels": counts_by_level(CaseFilter(other_levels, queryset=visible, request=request).qs),
        "may_assign": request.user.has_perm("cases.assign_case"),
        "narrowed": any(value for key, value in request.GET.items() if key not in {"sort", "page"}),
        "people": investigators() if request.user.has_perm("cases.assign_case") else [],
        "columns": columns(request.GET.get("sort") or "-score"),
        "version": version,
    }
    if not request.htmx:
        return render(request, "cases/queue.html", context)
    response = render(request, "cases/_queue.html", context)
    if seen is None:
        response["HX-Replace-Url"] = chosen_only(request)
    return response


def _assign_in_bulk(request, visible) -> HttpResponse:
    if not request.user.has_perm("cases.assign_case"):
        raise PermissionDenied
    form = BulkAssignForm(request.POST, visible=visible)
    if not form.is_valid():
        messages.error(request, _first_error(form))
        return redirect(request.get_full_path())
    cases, to = form.cleaned_data["cases"], form.cleaned_data["to"]
    with transaction.atomic():
        for case in cases:
            actions.assign(case=case, to=to, by=request.user)
    text = ngettext("%(n)d case given to %(who)s.", "%(n)d cases given to %(who)s.", len(cases))
    messages.success(request, text % {"n": len(cases), "who": to or _("nobody")})
    return redirect(request.get_full_path())


@require_safe
@may_see
@permission_required("readings.view_upload", raise_exception=True)
def cases_of_upload(request, pk: int):
    """What an upload led to, for its page; asked again for a while, since scoring follows the import."""
    upload = get_object_or_404(Upload.objects.visible_to(request.user), pk=pk, status=Upload.Status.IMPORTED)
    found = Case.objects.visible_to(request.user).led_to_by(upload).for_queue()
    context = {
        "upload": upload,
        "cases": found[:CASES_ON_A_PAGE],
        "count": found.count(),
        "may_follow": timezone.now() - upload.imported_at < STILL_SCORING,
    }
    return render(request, "cases/_of_upload.html", context)


@require_safe
@may_see
@vary_on_headers("HX-Request")
def case(request, pk: int):
    seen, version = live.seen(request), live.case_version(Case.objects.visible_to(request.user), pk)
    if version is None:
        raise Http404
    if seen == version:
        return live.nothing_new()
    found = get_object_or_404(casefile.cases_of(request.user), pk=pk)
    context = {**casefile.everything_about(found, request.user), "version": version}
    return render(request, "cases/case.html" if seen is None else "cases/_case_live.html", context)


@require_POST
@may_change
def case_assign(request, pk: int):
    found = _case(request, pk)
    # Whoever may not hand out work may still take it, or give back what is theirs.
    if request.user.has_perm("cases.assign_case"):
        people = investigators_of(found.consumer.zone)
    else:
        people = investigators_of(found.consumer.zone).filter(pk=request.user.pk)
        if found.assignee_id not in {None, request.user.pk}:
            raise PermissionDenied
    form = AssignForm(request.POST, people=people)
    if not form.is_valid():
        return _refuse(request, found, form)
    to = form.cleaned_data["to"]
    actions.assign(case=found, to=to, by=request.user)
    if to == request.user:
        return _done(request, found, _("The case is yours."))
    return _done(request, found, _("Given to %(who)s.") % {"who": to} if to else _("Given back to the queue."))


@require_POST
@may_change
def case_note(request, pk: int):
    found = _case(request, pk)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _refuse(request, found, form)
    actions.note(case=found, text=form.cleaned_data["text"], by=request.user)
    return _done(request, found, _("Noted."))


@require_POST
@may_change
def case_move(request, pk: int):
    found = _case(request, pk)
    form = MoveForm(request.POST)
    if not form.is_valid():
        return _refuse(request, found, form)
    return _try(request, found, _("Moved."), lambda: actions.move(case=found, by=request.user, **form.cleaned_data))


@require_POST
@may_change
def case_close(request, pk: int):
    found = _case(request, pk)
    form = CloseForm(request.POST)
    if not form.is_valid():
        return _refuse(request, found, form)
    outcome = Outcome(form.cleaned_data["outcome"]).label
    return _try(
        request,
        found,
        _("Closed: %(outcome)s.") % {"outcome": outcome},
        lambda: actions.close(case=found, by=request.user, **form.cleaned_data),
        undo=reverse("case_reopen", args=[pk]),
    )


@require_POST
@may_change
def case_reopen(request, pk: int):
    found = _case(request, pk)
    return _try(request, found, _("Open again."), lambda: actions.reopen(case=found, by=request.user))


def _case(request, pk: int) -> Case:
    visible = Case.objects.visible_to(request.user).select_related("consumer__zone", "assignee")
    return get_object_or_404(visible, pk=pk)


def _done(request, case: Case, text: str, undo: str = "") -> HttpResponse:
    # extra_tags carries where the message's Undo posts to (templates/_toasts.html).
    messages.success(request, text, extra_tags=undo)
    return redirect("case", case.pk)


def _try(request, case: Case, text: str, action, undo: str = "") -> HttpResponse:
    try:
        action()
    except workflow.MoveNotAllowed:
        messages.error(request, _("Somebody else was quicker: the case has moved on. This is how it stands now."))
        return redirect("case", case.pk)
    return _done(request, case, text, undo)


def _refuse(request, case: Case, form) -> HttpResponse:
    messages.error(request, _first_error(form))
    return redirect("case", case.pk)


def _first_error(form) -> str:
    name, errors = next(iter(form.errors.items()))
    label = form.fields[name].label if name in form.fields else None
    return f"{label}: {errors[0]}" if label else errors[0]
