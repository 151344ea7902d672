import time

import numpy as np
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import ApiClient, User
from apps.cases import actions as cases
from apps.detection import city, scoring, training
from apps.detection.models import ModelVersion
from apps.grid.models import Zone, ZoneAssignment

PASSWORD = "demo"  # noqa: S105 a demo's log-in is printed on the screen
CAST = [
    # username, first name, group, zones (None: all)
    ("sam", "Sam", "Supervisors", None),
    ("ana", "Ana", "Analysts", None),
    ("ines", "Ines", "Investigators", ["NORTH", "WESTGATE"]),
    ("otto", "Otto", "Investigators", ["SOUTH", "MILLBANK"]),
]


class Command(BaseCommand):
    help = "Load the demo city once: places, people, half a year of readings, a trained model, scores and cases."

    def add_arguments(self, parser):
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--consumers", type=int, default=2000)
        parser.add_argument("--days", type=int, default=180)

    def handle(self, *, seed, consumers, days, **options):
        self.began = time.monotonic()
        if settings.UTILITY_TIME_ZONE != "Europe/London":
            raise CommandError("The demo city lives in Europe/London: unset UTILITY_TIME_ZONE to load it.")
        with transaction.atomic():
            people = make_people()
        if not city.is_loaded():
            yesterday = np.datetime64(timezone.localdate(), "D") - 1
            city.load(seed=seed, consumers=consumers, days=days, last_day=yesterday, by=people["sam"], say=self.say)
        with transaction.atomic():
            assign_zones(people)
        # Every step below finds its own work, so a load that was interrupted is finished by the next.
        if not ModelVersion.objects.exists():
            self.say("Training the first model, briefly: a minute or two")
            training.ask_for_first()
            training.train_pending(effort="brief")
        self.say("Scoring what is pending")
        scoring.score_pending()
        self.say(f"Opened {cases.open_pending()} cases")
        self.say("The city is ready")

    def say(self, message: str) -> None:
        self.stdout.write(f"[{time.monotonic() - self.began:5.1f} s] {message}")
        self.stdout.flush()


def make_people() -> dict[str, User]:
    people = {}
    for username, first_name, group, zones in CAST:
        user, is_new = User.objects.get_or_create(
            username=username, defaults={"first_name": first_name, "all_zones": zones is None}
        )
        if is_new:
            user.set_password(PASSWORD)
            user.is_staff = user.is_superuser = username == "sam"
            user.save()
            user.groups.add(Group.objects.get(name=group))
        people[username] = user
    if not ApiClient.objects.exists():
        system, _is_new = User.objects.get_or_create(username="head-end", defaults={"all_zones": True})
        system.set_unusable_password()
        system.save()
        system.groups.add(Group.objects.get(name="Systems"))
    return people


def assign_zones(people: dict[str, User]) -> None:
    for username, _first_name, _group, zones in CAST:
        for zone in Zone.objects.filter(code__in=zones or []):
            ZoneAssignment.objects.get_or_create(user=people[username], zone=zone)
