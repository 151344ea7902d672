"""What import-linter cannot see: relations point down as imports do, also those named by a string."""

from django.apps import apps

# Lowest first; an app may point at itself and at apps of a lower level.
LEVELS = {"accounts": 0, "grid": 1, "readings": 2, "inspections": 2, "detection": 3, "cases": 4, "overview": 5}


def upward_relations(models) -> list[str]:
    found = []
    for model in models:
        own = model._meta.app_label
        if own not in LEVELS:
            continue
        for field in model._meta.get_fields(include_hidden=True):
            if not field.is_relation or field.auto_created or field.related_model is None:
                continue
            other = field.related_model._meta.app_label
            if other != own and other in LEVELS and LEVELS[other] >= LEVELS[own]:
                found.append(f"{own}.{model.__name__}.{field.name} → {other}")
    return found


def test_every_app_of_ours_has_a_level():
    ours = {config.label for config in apps.get_app_configs() if config.name.startswith("apps.")}
    assert ours == set(LEVELS)


def test_no_relation_points_up():
    assert upward_relations(apps.get_models()) == []


def test_a_relation_that_points_up_would_be_found():
    from django.db import models

    class Odd(models.Model):
        case = models.ForeignKey("cases.Case", models.CASCADE, related_name="+")

        class Meta:
            app_label = "grid"
            managed = False

    try:
        assert upward_relations([Odd]) == ["grid.Odd.case → cases"]
    finally:
        del apps.all_models["grid"]["odd"]
        apps.clear_cache()
