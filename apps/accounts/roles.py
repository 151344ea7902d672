"""Who may do what: Django's groups, filled from this one table after every migration."""

from django.contrib.auth.models import Group, Permission

_everyone = [
    "cases.view_case",
    "grid.view_consumer",
    "detection.view_riskscore",
    "detection.view_energybalance",
    "readings.view_validationhit",
]
_keeps_readings = ["readings.change_validationrule", "readings.add_readingedit"]

ROLES = {
    "Investigators": [*_everyone, "cases.change_case"],
    "Supervisors": [
        *_everyone,
        "cases.change_case",
        "cases.assign_case",
        "grid.change_consumer",
        "grid.view_referenceimport",
        "grid.add_referenceimport",
        "readings.view_upload",
        "readings.add_upload",
        *_keeps_readings,
        "detection.view_scoringrun",
        "detection.change_scoringrun",
        "detection.view_modelversion",
        "detection.predict",
    ],
    "Analysts": [
        *_everyone,
        "readings.view_upload",
        "readings.add_upload",
        *_keeps_readings,
        "detection.view_scoringrun",
        "detection.change_scoringrun",
        "detection.view_modelversion",
        "detection.change_modelversion",
        "detection.add_training",
        "detection.predict",
    ],
    "Systems": [*_everyone, "readings.view_upload", "readings.add_upload", "detection.predict"],
    # Of the customer register or the network plan. Who sends readings must not be able to say whose they are.
    "Reference systems": ["grid.view_consumer", "grid.view_referenceimport", "grid.add_referenceimport"],
}


def sync_roles(using: str) -> None:
    """Create the groups and give each exactly its permissions, as far as these exist already."""
    ids = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.using(using).values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    for name, permissions in ROLES.items():
        group, _created = Group.objects.using(using).get_or_create(name=name)
        group.permissions.set([ids[permission] for permission in permissions if permission in ids])
