import re

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.readings import retention, times


class Command(BaseCommand):
    help = "Forget readings, raw files and everything else of days longer ago than they may be kept."

    def add_arguments(self, parser):
        parser.add_argument("--older-than", help="such as 5y; by itself READINGS_KEEP_YEARS")
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def handle(self, *, older_than, dry_run, **options):
        before = retention.beginning_of_kept(np.datetime64(times.today(), "D").item(), years(older_than))
        self.stdout.write(f"{'Would forget' if dry_run else 'Forgetting'} what lies before {before}:")
        found = False
        for one in retention.forget(before, dry_run=dry_run):
            if one.count or one.bytes:
                found = True
                size = f", {one.bytes / 1e6:,.1f} MB" if one.bytes else ""
                self.stdout.write(f"  {one.what}: {one.count:,}{size}")
        if not found:
            self.stdout.write("  nothing: all that there is came later")
        self.stdout.write("Nothing was changed." if dry_run else "Done.")


def years(older_than: str | None) -> int:
    if older_than is None:
        if not settings.READINGS_KEEP_YEARS:
            raise CommandError("Say --older-than, such as 5y, or set READINGS_KEEP_YEARS.")
        return settings.READINGS_KEEP_YEARS
    found = re.fullmatch(r"(\d{1,2})y", older_than)
    if not found or found[1] == "0":
        raise CommandError(f"--older-than {older_than}: say whole years, such as 5y.")
    return int(found[1])
