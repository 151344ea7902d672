from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Count, Q
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.detection import evaluation, models_on_disk, scoring, training, words
from apps.detection.models import ModelVersion, ScoringRun, ScoringShard, Training

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
    context = {
        "versions": versions.order_by("-pk")[:RUNS_SHOWN],  # counting drops the order of the model
        **last_training(),
        "missing": [
            (library, ", ".join(words.word(words.PARTS, part) for part in parts))
            for library, parts in models_on_disk.missing().items()
        ],
    }
    return render(request, "detection/model_list.html", context)


def last_training() -> dict:
    """What the panel of the last training shows."""
    found = Training.objects.select_related("by").last()
    return {"training": found, "doing": words.doing(found.doing) if found else ""}


@require_safe
@permission_required("detection.view_modelversion", raise_exception=True)
def model(request, pk):
    """One version, what it learned from, and how it did beside the active one."""
    version = get_object_or_404(ModelVersion.objects.select_related("activated_by"), pk=pk)
    active, figures = evaluation.against_active(version)
    return render(request, "detection/model.html", {"version": version, "active": active, "figures": figures})


@require_POST
@permission_required("detection.add_training", raise_exception=True)
def model_train(request):
    training.ask(by=request.user)
    messages.success(request, _("A model will be trained; then it waits here until somebody activates it."))
    return redirect("model_list")


@require_safe
@permission_required("detection.view_modelversion", raise_exception=True)
def model_training(request):
    """How far the last training has come, asked again while it runs; when it is over the whole page is."""
    context = last_training()
    found = context["training"]
    response = render(request, "detection/_training.html", context)
    if request.htmx and (found is None or found.status != Training.Status.PENDING):
        response["HX-Refresh"] = "true"
    return response


@require_POST
@permission_required("detection.change_modelversion", raise_exception=True)
def model_activate(request, pk):
    version = get_object_or_404(ModelVersion, pk=pk)
    training.activate(version=version, by=request.user)
    messages.success(request, _("Model %(number)s scores from now on; everything is scored again.") % {"number": pk})
    return redirect("model_list")
