from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Count, Q
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.detection import scoring, training
from apps.detection.models import ModelVersion, ScoringRun, ScoringShard

RUNS_SHOWN = 50


@require_safe
@permission_required("detection.view_scoringrun", raise_exception=True)
def run_list(request):
    """What was scored when, and what is parked because it failed three times."""
    runs = ScoringRun.objects.annotate(
        shard_count=Count("shards"), done=Count("shards", filter=Q(shards__status=ScoringShard.Status.DONE))
    ).select_related("model_version")
    runs = runs.order_by("-pk")[:RUNS_SHOWN]  # counting drops the order of the model
    parked = ScoringShard.objects.parked().select_related("run").order_by("pk")
    return render(request, "detection/run_list.html", {"runs": runs, "parked": parked[:RUNS_SHOWN]})


@require_POST
@permission_required("detection.change_scoringrun", raise_exception=True)
def shard_retry(request, pk):
    shard = get_object_or_404(ScoringShard, pk=pk)
    scoring.retry(shard=shard)
    messages.success(request, _("These consumers are scored again."))
    return redirect("run_list")


@require_safe
@permission_required("detection.view_modelversion", raise_exception=True)
def model_list(request):
    versions = ModelVersion.objects.select_related("activated_by").annotate(run_count=Count("runs"))
    newest = versions.order_by("-pk")[:RUNS_SHOWN]  # counting drops the order of the model
    return render(request, "detection/model_list.html", {"versions": newest})


@require_POST
@permission_required("detection.change_modelversion", raise_exception=True)
def model_activate(request, pk):
    version = get_object_or_404(ModelVersion, pk=pk)
    training.activate(version=version, by=request.user)
    messages.success(request, _("Model %(number)s scores from now on; everything is scored again.") % {"number": pk})
    return redirect("model_list")
