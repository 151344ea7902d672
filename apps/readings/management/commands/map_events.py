from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, Max

from apps.readings import events
from apps.readings.models import EventMeaning, MeterEvent


class Command(BaseCommand):
    help = (
        "Say what codes of meter events mean, such as E17=cover_opened, and look again at the events that came with"
        " them. Without a code: look again, and list what is still unknown."
    )

    def add_arguments(self, parser):
        parser.add_argument("meanings", nargs="*", metavar="CODE=EVENT")

    def handle(self, *args, meanings, **options):
        for said in meanings:
            source, _equals, code = said.rpartition("=")
            if not source or code not in MeterEvent.Code.values:
                known = ", ".join(sorted(MeterEvent.Code.values))
                raise CommandError(f"{said}: write the sender's code, = and one of {known}")
            EventMeaning.objects.update_or_create(source_code=source.strip(), defaults={"code": code})
        self.stdout.write(f"{events.learn()} events have another meaning by now.")
        unknown = MeterEvent.objects.filter(code=MeterEvent.Code.OTHER).order_by().values("source_code")
        for one in unknown.annotate(count=Count("pk"), last=Max("at"), detail=Max("detail")).order_by("-count")[:50]:
            self.stdout.write(f"{one['source_code']}: {one['count']}, last {one['last']:%Y-%m-%d}  {one['detail']}")
