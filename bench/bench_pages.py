"""Server time and number of queries of every page on the demo city, as a supervisor who sees all of it."""

import io
import statistics
import time

from bench import scratch

TRIES = 7


def run() -> list[dict]:
    with scratch.database():
        from django.core.management import call_command  # noqa: PLC0415 Django was set up only now

        call_command("load_city", stdout=io.StringIO())
        client, floor = logged_in("sam"), nothing_but_a_query()
        return [page(client, name, address, floor) for name, address in addresses().items()]


def addresses() -> dict[str, str]:
    from django.urls import reverse  # noqa: PLC0415

    from apps.cases.models import Case  # noqa: PLC0415
    from apps.readings.models import Upload  # noqa: PLC0415

    case, upload = Case.objects.select_related("consumer").first(), Upload.objects.first()
    plain = ["home", "case_queue", "consumer_search", "map", "upload_list", "upload_new", "data_quality"]
    plain += ["run_list", "model_list"]
    return {
        **{name: reverse(name) for name in [*plain, "consumers_unassigned", "api-cases"]},
        "map_data (zones)": reverse("map_data") + "?layer=zones",
        "map_data (half the city's consumers)": reverse("map_data") + "?box=-1.60,53.02,-1.52,53.09",
        "consumer_search (by name)": reverse("consumer_search") + "?q=an",
        "case": reverse("case", args=[case.pk]),
        "consumer": reverse("consumer", args=[case.consumer.number]),
        "upload": reverse("upload", args=[upload.pk]),
        "api-consumer": reverse("api-consumer", args=[case.consumer.number]),
    }


def logged_in(username: str):
    from django.test import Client  # noqa: PLC0415

    from apps.accounts.models import User  # noqa: PLC0415

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(username=username))
    return client


def nothing_but_a_query() -> float:
    """Milliseconds of one round trip to the database."""
    from django.db import connection  # noqa: PLC0415

    def ask():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    return median_ms(ask)


def page(client, name: str, address: str, floor: float) -> dict:
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    with CaptureQueriesContext(connection) as queries:
        answer = client.get(address)
    asked = len(queries)  # counted now: the log goes on
    assert answer.status_code == 200, f"{address} answered {answer.status_code}"
    took = median_ms(lambda: client.get(address))
    return {
        "name": f"Page {name}: {asked} queries, {len(answer.content) / 1024:.0f} KiB",
        "value": took,
        "unit": "ms",
        "floor": floor,
        "ratio": took / floor,
    }


def median_ms(work) -> float:
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)
