from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Max, Prefetch, Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from apps.grid import actions
from apps.grid.forms import AssignZoneForm
from apps.grid.models import Consumer, Meter, Zone

CONSUMERS_ON_A_PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("grid.change_consumer", raise_exception=True)
@vary_on_headers("HX-Request")  # a browser that goes back must not show the fragment as the page
def consumers_unassigned(request) -> HttpResponse:
    """Consumers that came with a file and that nobody has placed yet."""
    text = request.GET.get("q", "").replace("\0", "").strip()
    waiting = Consumer.objects.visible_to(request.user).filter(zone__code=Zone.UNASSIGNED)
    waiting = waiting.exclude(pk__in=Consumer.objects.left_behind())
    found = waiting.filter(Q(number__icontains=text) | Q(installations__meter__serial__icontains=text)).distinct()
    form = AssignZoneForm(request.POST or None, user=request.user, found=found)
    if request.method == "POST":
        if form.is_valid():
            zone = form.cleaned_data["zone"]
            count = actions.assign_zone(consumers=form.chosen, zone=zone, by=request.user)
            said = ngettext("%(n)d consumer is now in %(zone)s.", "%(n)d consumers are now in %(zone)s.", count)
            messages.success(request, said % {"n": count, "zone": zone})
        else:
            messages.error(request, next(iter(form.errors.values()))[0])
        return redirect(request.get_full_path())
    # A meter that is read once in a billing cycle has no state of days.
    meters = Meter.objects.select_related("state").annotate(read_until=Max("register_reads__end"))
    listed = found.prefetch_related(Prefetch("installations__meter", queryset=meters)).order_by("number")
    context = {
        "form": form,
        "page": Paginator(listed, CONSUMERS_ON_A_PAGE).get_page(request.GET.get("page")),
        "q": text,
        "title": _("Consumers without a zone"),
    }
    return render(request, "grid/_unassigned.html" if request.htmx else "grid/unassigned.html", context)
