"""Whatever is sent as reference data: an answer that names line and cause, nothing half taken, no 5xx."""

import gzip
import zipfile
from io import BytesIO

import pytest
from django.db import connections
from django.urls import reverse

from apps.grid.models import Consumer, Meter, ReferenceImport, Transformer, Zone
from apps.grid.reference.shapes import area_of, lines_of, point_of
from apps.grid.reference.values import Wrong
from apps.grid.tasks import reference_pending
from tests.grid.conftest import CONSUMERS

pytestmark = pytest.mark.django_db


def zipped(**files: bytes) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return stream.getvalue()


def feature(coordinates: str, shape: str = "Point", code: str = "T-9") -> str:
    return (
        f'{{"type": "Feature", "properties": {{"transformer": "{code}", "feeder": "F-1"}},'
        f' "geometry": {{"type": "{shape}", "coordinates": {coordinates}}}}}'
    )


def collection(*features: str, more: str = "") -> str:
    return '{"type": "FeatureCollection",' + more + '\n"features": [\n' + ",\n".join(features) + "\n]}"


GOOD = collection(feature("[9, 50]"), feature("[9, 51]", code="T-8"))
CRS = '"crs": {"type": "name", "properties": {"name": "%s"}},'
# What is sent, and what the answer says.
BROKEN = {
    "nothing": (b"", "is empty"),
    "white space": (b" \n\t\n", "is empty"),
    "separators": (b",,,\n;;;\n", "no line with text"),
    "a header alone": (b"consumer,name\n", "no row follows"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary file (byte 9 is zero)"),
    "an archive that is cut off": (gzip.compress(CONSUMERS.encode())[:-9], "cut off or damaged"),
    "an archive of two files": (zipped(a_csv=b"x", b_csv=b"y"), "holds 2 files (a.csv, b.csv)"),
    "an archive in an archive": (zipped(a_zip=zipped(a_csv=CONSUMERS.encode())), "archive in the archive"),
    "a shapefile": (zipped(a_shp=b"x", a_dbf=b"y"), "This is a shapefile"),
    "zero bytes": (CONSUMERS.encode() + b"C-3,\0\n", "is zero"),
    "half UTF-16": (CONSUMERS.encode("utf-16")[:-1], "begins as UTF-16"),
    "two encodings": ("consumer,name\nC-3,Jörg\n".encode() + "C-4,Jörg\n".encode("latin-1"), "Line 3 holds a byte"),
    "an open quote": (b'consumer,name\nC-3,"Ann\nC-4,Bo\n', "Line 2 cannot be read"),
    "a cell of 10 MB": (b"consumer,name\nC-3," + b"x" * 10_000_000 + b"\n", "Line 2 cannot be read: a cell is longer"),
    "a header of 10 MB": (b"x" * 10_000_000, "cannot be read: a cell is longer"),
    "5000 columns": (b",".join(b"c%d" % n for n in range(5000)) + b"\n1\n", "names 5000 columns"),
    "more cells than columns": (b"consumer,name\nC-3,Ann,Bo,Cy\n", "4 cells, where the first line names 2"),
    "columns of readings": (b"meterx,time,kwh\nM,2026-01-01,1\n", "say what it holds"),
    "a JSON text": (b'"consumer"', "no row follows"),
    "a JSON list of numbers": (b"[1, 2, 3]", "no object with properties"),
    "an empty list": (b"[]", "no object with properties"),
    "a list of lists": (b'[["consumer", "name"], ["C-3", "Ann"]]', "no object with properties"),
    "an object among numbers": (b'[{"consumer": "C-3", "name": 1e999}, 7]', "an object is wanted here"),
    "no features": (b'{"type": "FeatureCollection", "features": []}', "no object with properties"),
    "features that are none": (b'{"type": "FeatureCollection", "features": {"a": 1}}', "without features"),
    "lists within lists": (b'{"type": "Feature", "features": ' + b"[" * 100_000, "too deep"),
    "a number of 5000 digits": (b'[{"consumer": ' + b"9" * 5000 + b"}]", "Line 1 holds a number of too many digits"),
    "a list without its end": (b'[{"consumer": "C-3"},\n{"consumer": "C-4"}', "breaks off in line 2"),
    "a comma too many": (b'[{"consumer": "C-3"},\n]', "Line 2 is no JSON at its character 1"),
    "NaN": (collection(feature("[NaN, 50]")), "object 1: Place (WKT or GeoJSON): its coordinates are no numbers"),
    "infinity": (collection(feature("[9, 50]"), feature("[Infinity, 50]")), "object 2: Place"),
    "a number beyond any": (collection(feature("[1e999, 50]")), "no numbers"),
    "a long number": (collection(feature("[1" + "0" * 400 + ", 50]")), "beyond any number"),
    "texts for numbers": (collection(feature('["9", "50"]')), "no numbers"),
    "metres": (collection(feature("[500000.5, 5540000]")), "no longitude and latitude in degrees"),
    "one coordinate": (collection(feature("[9]")), "a longitude and a latitude"),
    "a place of a line": (
        collection(feature("[9, 50]"), feature("[[9, 50], [9, 51]]", "LineString")),
        "object 2: Place (WKT or GeoJSON): a point is wanted here",
    ),
    "no type of shape": (collection(feature("[9, 50]", "Sphere")), "the type Sphere are not taken"),
    "another system": (collection(feature("[9, 50]"), more=CRS % "EPSG:25832"), "Line 1, `crs`: its coordinates are"),
    "a link for a system": (
        collection(feature("[9, 50]"), more='"crs": {"type": "link", "properties": {"href": "http://example.org"}},'),
        "only longitude and latitude in WGS84",
    ),
    "no date": (b"meter,consumer,from\nM-1,C-1,yesterday\n", "From: yesterday is no date such as"),
    "a day that never was": (b"meter,consumer,from\nM-1,C-1,2025-02-30\n", "no calendar has"),
    "a number that a spreadsheet shortened": (b"consumer,name\n1.2E+11,Ann\n", "shortened by a spreadsheet"),
    "a name beyond all": (b"consumer,name\nC-3," + b"x" * 201 + b"\n", "Name: 201 characters are more than the 200"),
    "a half surrogate": (b'[{"consumer": "C-\\ud800"}]', "cannot be printed"),
    "a zero in JSON": (b'[{"consumer": "C-\\u0000"}]', "cannot be printed"),
    "an object for a name": (b'[{"consumer": "C-3", "name": {"a": []}}]', "is no text"),
    "no such zone of a formula": (b"consumer,zone\nC-3,=1+1\n", "the zone =1+1 is not known"),
    "a crossing outline": (
        b'zone,wkt\nZ,"POLYGON((9 50,9.1 50.1,9.1 50,9 50.1,9 50))"\n',
        "its outline cannot be an area (Self-intersection",
    ),
}


@pytest.fixture
def machine(client, sam, grid):
    client.force_login(sam)
    client.raise_request_exception = False
    return client


def counts() -> list[int]:
    return [model.objects.count() for model in (Zone, Transformer, Meter, Consumer)]


def test_broken_files_are_answered_with_line_and_cause(machine):
    before, otherwise = counts(), {}
    for what, (content, said) in BROKEN.items():
        body = content.encode() if isinstance(content, str) else content
        answer = machine.post(reverse("api-references") + "?strict=true", body, content_type="text/csv")
        told = answer.json()
        found = " ".join([told.get("error", ""), *(row["reason"] for row in told.get("refused_rows", []))])
        if answer.status_code != 200 or told["status"] != "failed" or said not in found:
            otherwise[what] = answer.status_code, told
    assert otherwise == {}
    assert counts() == before


def test_no_more_is_unpacked_than_may_be_sent(give, grid, settings):
    settings.REFERENCE_MAX_BYTES = 1_000_000
    found = give(gzip.compress(CONSUMERS.encode() + b" " * 3_000_000))
    assert (found.status, "larger than the 1 MB" in found.error) == ("failed", True)


def test_geojson_that_breaks_off_anywhere_brings_nothing(machine, give):
    before = counts()
    for end in range(1, len(GOOD) - 1, 29):
        found = give(GOOD[:end], strict=True)
        assert found.status == "failed", end
        assert found.error, end
    assert counts() == before
    assert give(GOOD).created == 2


def test_a_formula_stays_text_and_is_defused_on_its_way_out(machine, give):
    found = give('consumer,name,zone\nC-3,"=HYPERLINK(""http://x"")",NORTH\n=2+3,Ann,NOWHERE\n')
    assert Consumer.objects.get(number="C-3").name == '=HYPERLINK("http://x")'
    content = b"".join(machine.get(reverse("reference_refused", args=[found.pk])).streaming_content)
    assert b'"\'=2+3"' in content


@pytest.mark.parametrize(
    "text",
    [
        "POINT", "POINT(9)", "POINT(9 50", "POINT((9 50))", "POINT(a b)", "SRID=25832;POINT(9 50)", "POINT(nan 50)",
        "POINT(9 50)POINT(9 50)", "POINT(" * 5000, "POLYGON((9 50))", "{", '{"type": "Point"', "x" * 100_000,
        "POINT(" + "9" * 5000 + " 50)", "MULTIPOINT((9 50),(9 51))", '{"type": "Point", "coordinates": [[9, 50]]}',
        '{"type": "Point", "coordinates": [9, 50], "crs": {"type": "name", "properties": {"name": "EPSG:3857"}}}',
    ],
)  # fmt: skip
def test_what_is_no_point_is_refused(text):
    with pytest.raises(Wrong):
        point_of(text)


@pytest.mark.parametrize(
    "coordinates",
    [
        [[[9, 50], [9.1, 50], [9.1, 50.1]]], [[[9, 50], [9.1, 50], [9.1, 50.1], [9, 50.2]]], [[9, 50]], [9, 50], [[]],
        [[[9, 50], [9.1, 50], [9.1, True], [9, 50]]], {"a": 1}, "POLYGON", [[[[9, 50]]]],
        [[[9, 50], None, [9, 1], [9, 50]]],
    ],
)  # fmt: skip
def test_what_is_no_area_is_refused(coordinates):
    with pytest.raises(Wrong):
        area_of({"type": "Polygon", "coordinates": coordinates})


def test_an_empty_shape_is_none():
    assert point_of("POINT EMPTY") is None
    assert area_of({"type": "Polygon", "coordinates": []}) is None
    assert lines_of("") is None


def test_a_shape_with_too_many_positions_is_refused():
    with pytest.raises(Wrong, match="simplify"):
        lines_of({"type": "LineString", "coordinates": [[9, 50]] * 200_001})


def test_a_fault_of_ours_leaves_the_import_waiting_until_it_is_parked(give, grid, monkeypatch):
    def fail(*_args):
        raise RuntimeError("Ann")

    monkeypatch.setattr("apps.grid.reference.planning.make", fail)
    found = give("consumer,name\nC-1,X\n")
    assert (found.status, found.attempts) == ("pending", 1)
    assert [reference_pending() for _ in range(3)] == [0, 0, 0]
    found.refresh_from_db()
    assert found.status == ReferenceImport.Status.FAILED
    assert "stopped 3 times" in found.error


def test_a_request_does_not_wait_while_another_import_is_applied(give, grid):
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtext('grid.reference'))")
        found = give("consumer,name\nC-1,X\n")
    finally:
        other.close()
    assert (found.status, found.attempts) == ("pending", 0)
    assert reference_pending() == 1
