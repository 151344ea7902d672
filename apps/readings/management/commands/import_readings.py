from pathlib import Path

from django.core.files.base import File
from django.core.management.base import BaseCommand, CommandError

from apps.bell import ring
from apps.readings import actions, files, importers
from apps.readings.date_order import Order
from apps.readings.models import Sender, Upload
from apps.readings.statements import Statement


class Command(BaseCommand):
    help = (
        "Import files of readings now, in this process. What is not stated is guessed from the content, or taken from"
        " the sender's last file."
    )

    def add_arguments(self, parser):
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--sender", default="command line", help="who sends the files; remembers what was stated")
        parser.add_argument("--timezone", help="clock of the stamps: Europe/London, UTC, +10:00")
        parser.add_argument("--stamps", choices=Sender.Stamps.values, help="what of its period a stamp marks")
        parser.add_argument("--unit", choices=Sender.Unit.values)
        parser.add_argument("--multiplier", type=float, help="what a value is multiplied by to be in the unit")
        parser.add_argument("--measures", choices=Sender.Measures.values)
        parser.add_argument("--date-order", choices=Order.values, help="of dates such as 3/4/2026")
        parser.add_argument("--format", choices=sorted(importers.BY_NAME), help="instead of the one recognised")

    def handle(self, *args, **options):
        stated = ("timezone", "stamps", "unit", "multiplier", "measures", "date_order", "format")
        statement = {name: options[name] for name in stated if options[name] is not None}
        faults = Statement(**{"timezone": "UTC", **statement}).faults()
        if faults:
            raise CommandError("; ".join(f"--{name.replace('_', '-')}: {fault}" for name, fault in faults.items()))
        missing = [str(path) for path in options["files"] if not path.is_file()]
        if missing:
            raise CommandError(f"No such file: {', '.join(missing)}")
        failed = [path for path in options["files"] if not self.take(path, options["sender"], statement)]
        ring("detection.score_pending")
        if failed:
            raise CommandError(f"{len(failed)} of {len(options['files'])} files were not imported.")

    def take(self, path: Path, sender: str, statement: dict) -> bool:
        self.stdout.write(f"{path.name} ", ending="")
        self.stdout.flush()
        try:
            with path.open("rb") as file:
                upload, is_new = actions.receive(
                    file=File(file), name=path.name, sender=sender, statement=statement, by=None, confirm=True
                )
        except (files.TooLarge, files.DiskFull) as error:
            self.stdout.write(self.style.ERROR(str(error)))
            return False
        if not is_new and upload.status == Upload.Status.IMPORTED:
            self.stdout.write(f"is already here, as upload {upload.pk} of {upload.at:%Y-%m-%d}: nothing to do")
            return True
        actions.import_upload(upload)
        upload.refresh_from_db()
        self.report(upload)
        return upload.status == Upload.Status.IMPORTED

    def report(self, upload: Upload) -> None:
        meaning = f"{upload.format}, {upload.timezone}, stamps {upload.stamps}, {upload.measures}, {upload.unit}"
        self.stdout.write(f"({meaning})")
        if upload.status != Upload.Status.IMPORTED:
            self.stdout.write(self.style.ERROR(f"  {upload.get_status_display()} {upload.error}"))
            return
        self.stdout.write(
            f"  {upload.readings:,} readings of {upload.meters:,} meters ({upload.meters_registered:,} new)"
            f" from {upload.first_day} to {upload.last_day}\n"
            f"  {upload.days_new:,} days new, {upload.days_changed:,} changed, {upload.days_same:,} known already;"
            f" {upload.rejected:,} lines rejected, {upload.duplicates:,} repeated"
        )
