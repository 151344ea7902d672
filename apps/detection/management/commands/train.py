from django.core.management.base import BaseCommand, CommandError

from apps.detection import training


class Command(BaseCommand):
    help = (
        "Fit a model version on the stored readings and outcomes; it waits as a candidate until somebody activates it."
    )

    def add_arguments(self, parser):
        parser.add_argument("--activate", action="store_true", help="make it the one that scores")

    def handle(self, *, activate, **options):
        wish = training.ask(by=None)
        version = training.attempt(wish)
        if version is None:
            wish.refresh_from_db()
            raise CommandError(wish.error or "A worker is training already: see the page Models.")
        if activate:
            training.activate(version=version, by=None)
        self.stdout.write(f"Model version {version.pk} is {version.status}, trained on {version.trained_on}")
