"""The API against whatever is sent to it: made-up requests by its own description, and broken files by the hundred."""

import json
import re

import pytest
import schemathesis
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.db.models import Sum
from django.utils.http import urlencode
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks

from apps.accounts.models import ApiClient
from apps.cases.models import Case
from apps.readings import tasks
from apps.readings.importers import archives
from apps.readings.models import LoadProfile, Upload
from ntl_web.wsgi import application
from tests import broken_files
from tests.factories import UserFactory

DESCRIPTION = OpenApiJsonRenderer().render(SchemaGenerator().get_schema(public=True))
api = schemathesis.openapi.from_dict(json.loads(DESCRIPTION))
api.app = application
api.config.phases.coverage.unexpected_methods = set()  # 405 needs no description


@schemathesis.serializer("application/x-ndjson")
def lines_of_json(_context, value) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n" + json.dumps(value).encode()


@pytest.fixture
def key(street, model) -> str:
    """Of a client that may do everything there is in the API, where there is something to see."""
    client = ApiClient(
        name="head-end", user=UserFactory(username="system", roles=["Systems", "Supervisors"], all_zones=True)
    )
    key = client.set_new_key()
    client.save()
    return key


@pytest.fixture
def requests_keep_the_connection():
    """As in Django's test client: the test's transaction lives in it."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


# What is left out asks for more than a description can say: that a query's unknown words are refused, that every time
# zone which is a text is one, that a made-up key is not mended by the real one.
LEFT_OUT = [checks.negative_data_rejection, checks.positive_data_acceptance, checks.ignored_auth]


@api.parametrize()
@settings(
    max_examples=30,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_description_names(case, key, requests_keep_the_connection):
    aim_at_what_is_there(case)
    response = case.call(headers={"Authorization": f"Api-Key {key}"})
    case.validate_response(response, excluded_checks=LEFT_OUT)


def aim_at_what_is_there(case: schemathesis.Case) -> None:
    """Of made-up numbers, every other one becomes the number of something that is there."""
    there = {"/api/v1/uploads": Upload, "/api/v1/cases": Case}
    for name, value in case.path_parameters.items():
        if len(str(value)) % 2:
            owner = next((model for path, model in there.items() if case.operation.path.startswith(path)), None)
            case.path_parameters[name] = owner.objects.latest("pk").pk if owner else "C-00001"


@pytest.fixture
def head_end(client, key):
    client.defaults["HTTP_AUTHORIZATION"] = f"Api-Key {key}"
    client.raise_request_exception = False
    return client


# Where it is, or which part of the file it is about.
PLACE = re.compile(
    r"\b[Ll]ine \d+|columns?\b|archive\b|file is empty|whatever its name|\bbyte \d+|Parquet file|no reading\b|declares"
    r"|beginning of the file|Excel workbook|JSON document|its keys are|holds no|first elements|text in it"
)


@pytest.mark.parametrize("format_", broken_files.GOOD)
def test_a_broken_file_is_imported_or_failed_with_a_reason_and_nothing_is_half_there(head_end, format_, monkeypatch):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED_BYTES", 4 * 1024**2)
    before = LoadProfile.objects.count()
    broken = [(what, sent(head_end, content, what)) for what, content in broken_files.broken(format_)]
    tasks.import_pending()
    for what, upload in broken:
        upload.refresh_from_db()
        assert not upload.error or PLACE.search(upload.error), (what, upload.error)
        assert upload.status in {Upload.Status.IMPORTED, Upload.Status.FAILED}, what
        assert bool(upload.error) == (upload.status == Upload.Status.FAILED), what
        assert upload.attempts <= 1, f"{what}: no reason was found in the file"
        assert "no fault of it could be named" not in upload.error, what
    brought = Upload.objects.filter(status=Upload.Status.IMPORTED).aggregate(days=Sum("days_new"))["days"]
    assert LoadProfile.objects.count() == before + brought
    assert set(LoadProfile.objects.values_list("upload__status", flat=True)) == {Upload.Status.IMPORTED}


def sent(head_end, content: bytes, what: str) -> Upload:
    answer = head_end.post("/api/v1/uploads?timezone=UTC&name=broken.csv", content, content_type="text/csv")
    assert answer.status_code in {200, 202}, (what, answer.content[:500])
    return Upload.objects.get(pk=answer.json()["id"])


def test_there_are_hundreds_of_broken_files():
    assert sum(1 for format_ in broken_files.GOOD for _broken in broken_files.broken(format_)) >= 400


@pytest.mark.parametrize("name", broken_files.NAMES)
def test_a_name_is_only_a_name(head_end, name, settings):
    content = broken_files.GOOD["csv_days"]
    form = head_end.post("/api/v1/uploads", {"file": SimpleUploadedFile("a.csv", content), "sender": name})
    body = head_end.post(f"/api/v1/uploads?{urlencode({'name': name})}", content + b"\n", content_type="text/csv")
    assert body.status_code == 202
    assert form.status_code in {202, 400}
    for upload in Upload.objects.exclude(file=""):
        assert upload.path.is_relative_to(settings.MEDIA_ROOT / "uploads")
