import json
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from apps.detection import evaluation
from apps.detection.models import ModelVersion


class Command(BaseCommand):
    help = "Load a report of `python -m ml evaluate`; the page Analytics shows it."

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)
        parser.add_argument("--name", help="what the page calls it; by itself the file's name")
        parser.add_argument("--model", type=int, help="number of the model version that was evaluated")

    def handle(self, *, file, name, model, **options):
        version = None
        if model is not None and (version := ModelVersion.objects.filter(pk=model).first()) is None:
            raise CommandError(f"There is no model version {model}.")
        try:
            report = json.loads(file.read_text(encoding="utf-8"))
            loaded = evaluation.load(report, name=name or file.stem, version=version)
        except (OSError, ValueError) as error:
            raise CommandError(f"{file.name}: {error}") from error
        self.stdout.write(f"Evaluation {loaded.pk} is shown as {loaded.name}")
