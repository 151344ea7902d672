"""Files of reference data: what they are taken for, what they change, and how that is taken back."""

import gzip
import json
import re
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from django.contrib.gis.geos import Point
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange

from apps.grid import actions as grid_actions
from apps.grid.models import (
    Connection,
    Consumer,
    Contract,
    Feeder,
    Installation,
    Meter,
    ReferenceChange,
    ReferenceImport,
    Supply,
    Transformer,
    Zone,
)
from apps.grid.reference import actions, kinds, replacing
from tests import factories
from tests.grid.conftest import CONSUMERS, TRANSFORMERS
from tests.grid.test_reference_broken import zipped

pytestmark = pytest.mark.django_db


def links(**of) -> list[tuple]:
    found = Installation.objects.filter(**of).order_by("consumer__number", "valid")
    return [(one.consumer.number, one.meter.serial, one.valid.lower, one.valid.upper) for one in found]


def reasons(reference) -> dict[int, str]:
    return {line: reason for line, reason, _text in reference.refused_lines}


# --- What files are taken for -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Zone;Bezeichnung;Arbeitspreis", "zones"),
        ("feeder_id,zone", "feeders"),
        ("code,feeder,kVA,X,Y", "transformers"),
        ("Kundennummer;Name;Anschrift;Zähler-Nr.;Trafo", "consumers"),
        ("numero_cliente|nombre|direccion|medidor", "consumers"),
        ("serial_number,type", "meters"),
        ("meter,consumer,from,until", "installations"),
        ("Zählernummer;Kundennummer;Einbaudatum;Ausbaudatum", "installations"),
        ("customer_no,transformer,valid_from", "connections"),
        ("contract,customer,tariff,start_date,end_date", "supplies"),
        ("a,b,c", ""),
    ],
)
def test_a_file_is_recognised_by_its_columns(header, kind):
    assert kinds.guess(re.split("[;,|]", header))[0] == kind


def test_geojson_is_recognised_by_its_shapes_too():
    columns = ["id", "name", kinds.GEOMETRY]
    assert [kinds.guess(columns, shape)[0] for shape in ("Polygon", "LineString", "Point")] == [
        "zones",
        "feeders",
        "consumers",
    ]


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_an_example_file_is_recognised_as_what_it_is(kind):
    fields = kinds.KINDS[kind].fields
    found, mapping = kinds.guess([kinds.heading(one) for one in fields if one.example])
    assert found == kind
    assert {one.name for one in fields if one.example} - mapping.keys() <= {"place"}


def test_a_file_with_decimal_commas_semicolons_and_german_words(give, north):
    found = give("Zone;Bezeichnung;Arbeitspreis;Besuche\nOST;Östlich;0,3125;1.200\n".encode("cp1252"))
    zone = Zone.objects.get(code="OST")
    assert (found.status, zone.name, zone.price_per_kwh, zone.visits_per_week) == (
        "applied",
        "Östlich",
        Decimal("0.3125"),
        1200,
    )


def test_links_and_their_days_are_known_by_german_names():
    names = ["Kundennummer", "Zähler", "Zähler seit", "Transformator", "Trafo seit", "Vertrag", "Vertrag ab"]
    assert kinds.guess(names) == (
        "consumers",
        dict(zip(("number", "meter", "meter_from", "transformer", "transformer_from", "contract", "contract_from"),
                 names, strict=True)),
    )  # fmt: skip
    assert kinds.guess(["Transformator", "Abgang", "kVA"])[0] == "transformers"


def test_titles_above_the_names_of_columns_are_left_out(give, grid):
    found = give("Customers of the north\nas of 1 May 2026;;\n\nconsumer;name;zone\nC-1;Anne;NORTH\nC-2;Bo;NOWHERE\n")
    assert (found.kind, found.changed) == ("consumers", 1)
    assert found.refused_lines[0][0] == 6


def test_dates_are_read_as_the_file_writes_them(give, grid):
    give("meter,consumer,from\nM-8,C-1,3/31/2025\n")
    give("meter;consumer;from\nM-9;C-2;01.04.2025\n")
    assert links(meter__serial__in=["M-8", "M-9"]) == [
        ("C-1", "M-8", date(2025, 3, 31), None),
        ("C-2", "M-9", date(2025, 4, 1), None),
    ]


def test_geojson_brings_areas_paths_and_places(give, north):
    ring = [[9, 50], [9.1, 50], [9.1, 50.1], [9, 50]]
    shapes = [
        ({"code": "OST", "name": "Ost"}, {"type": "Polygon", "coordinates": [ring]}),
        ({"feeder": "F-9", "zone": "OST"}, {"type": "LineString", "coordinates": [[9, 50, 120], [9.1, 50.1, 130]]}),
        ({"code": "T-9", "feeder": "F-9", "sum_meter": "S-9"}, {"type": "Point", "coordinates": [9.05, 50.05]}),
    ]
    for properties, geometry in shapes:
        feature = {"type": "Feature", "properties": properties, "geometry": geometry}
        crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
        found = give(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
        assert (found.status, found.created, found.error) == ("applied", 1, "")
    transformer = Transformer.objects.get()
    assert transformer.place.coords == (9.05, 50.05)
    assert transformer.sum_meter.kind == Meter.Kind.SUM
    assert transformer.feeder.path.srid == 4326
    assert transformer.feeder.zone.area.num_coords == 4


def test_places_come_as_wkt_as_columns_or_as_one_feature_a_line(give, grid):
    give("code,wkt\nT-1,POINT Z (9.06 50.06 120)\n", kind="transformers")
    give("code;X;Y\nT-2;8,97;50,03\n", kind="transformers")
    assert [one.place.coords for one in Transformer.objects.order_by("code")] == [(9.06, 50.06), (8.97, 50.03)]
    feature = {"type": "Feature", "properties": {"code": "T-1"}, "geometry": {"type": "Point", "coordinates": [9, 50]}}
    give("\x1e" + json.dumps(feature) + "\n", kind="transformers")
    assert Transformer.objects.get(code="T-1").place.coords == (9, 50)


@pytest.mark.parametrize("pack", [gzip.compress, pa.Codec("zstd").compress, lambda content: zipped(c_csv=content)])
def test_a_packed_file_is_read_as_what_is_in_it(give, grid, pack):
    assert give(bytes(pack(CONSUMERS.replace("Ann", "Anne").encode()))).changed == 1


def test_a_file_that_is_small_only_while_packed_is_a_workers(give, grid, settings):
    settings.REFERENCE_INLINE_BYTES = 1000
    content = gzip.compress(CONSUMERS.encode() + b"C-2,,,,,,,,,,\n" * 200)
    assert len(content) < 1000
    assert give(content).status == "pending"


def test_what_a_sender_meant_is_remembered(give, grid):
    odd = "a,b,c\nC-7,Jo,NORTH\n"
    draft = give(odd, confirm=False, sender="billing")
    assert (draft.kind, draft.status) == ("", "draft")
    assert "say what it holds" in draft.error
    columns = {"number": "a", "name": "b", "zone": "c"}
    actions.restate(reference=draft, kind="consumers", columns=columns, as_of=draft.as_of, strict=False, confirm=True)
    again = give(odd.replace("C-7", "C-8"), confirm=False, sender="billing")
    assert (again.kind, again.columns, again.created) == ("consumers", columns, 1)
    assert give(odd, confirm=False, sender="somebody else").kind == ""


# --- What they change -------------------------------------------------------------------------------------------------


def test_a_column_that_the_last_file_did_not_have_is_not_overlooked(give, grid):
    give("consumer,name,remark\nC-1,Anne,x\n", columns={"number": "consumer", "name": "remark"}, kind="consumers")
    found = give("consumer,name,remark,address,meter\nC-1,Anne,y,Hill 1,M-9\n")
    assert found.columns == {"number": "consumer", "name": "remark", "address": "address", "meter": "meter"}


def test_consumers_come_with_their_links(grid):
    consumer = Consumer.objects.get(number="C-1")
    assert (consumer.zone.code, consumer.place.coords) == ("NORTH", (9.01, 50.01))
    assert links() == [("C-1", "M-1", date(2024, 1, 1), None), ("C-2", "M-2", None, None)]
    assert Connection.objects.get(consumer=consumer).transformer.code == "T-1"
    assert Supply.objects.get(consumer=consumer).contract.tariff == "home"


def test_the_same_file_again_changes_nothing(give, grid):
    again = give(CONSUMERS)
    assert (again.created, again.changed, again.same) == (0, 0, 2)
    assert not again.changes.exists()


def test_an_empty_cell_and_a_column_that_is_left_out_change_nothing(give, grid):
    found = give("consumer,name,zone\nC-1,,WEST\n")
    assert found.changed == 1
    consumer = Consumer.objects.get(number="C-1")
    assert (consumer.name, consumer.address, consumer.zone.code) == ("Ann", "Mill Lane 1", "WEST")


def test_another_meter_ends_the_one_before_on_the_day_that_the_file_is_of(give, grid):
    give("consumer,meter\nC-1,M-9\n", as_of=date(2026, 5, 1))
    assert links(consumer__number="C-1") == [
        ("C-1", "M-1", date(2024, 1, 1), date(2026, 5, 1)),
        ("C-1", "M-9", date(2026, 5, 1), None),
    ]


def test_a_history_may_come_in_any_order_and_without_ends(give, grid):
    found = give("meter,consumer,from,until\nM-5,C-2,2025-01-01,\nM-3,C-2,2020-01-01,2022-01-01\nM-4,C-2,2022-01-01,\n")
    # M-2 was there since nobody knows when, so it ends where the first that is known begins.
    assert (found.created, found.refused) == (3, 0)
    assert [(meter, upper) for _c, meter, _l, upper in links(consumer__number="C-2")] == [
        ("M-2", date(2020, 1, 1)),
        ("M-3", date(2022, 1, 1)),
        ("M-4", date(2025, 1, 1)),
        ("M-5", None),
    ]


def test_meters_that_change_places_in_one_file(give, grid):
    found = give("consumer,meter\nC-1,M-2\nC-2,M-1\n", kind="consumers", as_of=date(2026, 5, 1))
    assert (found.changed, found.refused) == (2, 0)
    assert links(valid__upper_inf=True) == [
        ("C-1", "M-2", date(2026, 5, 1), None),
        ("C-2", "M-1", date(2026, 5, 1), None),
    ]


def test_two_at_once_are_refused_with_line_and_reason(give, grid):
    found = give(
        "meter,consumer,from,until\nM-1,C-2,2025-01-01,\nM-7,C-1,2020-01-01,2025-01-01\nM-8,C-1,2025-02-01,2025-01-01\n"
        "M-9,C-9,,\n"
    )
    told = reasons(found)
    assert told[2] == "M-1 is at the consumer C-1 from 2024-01-01 to …: say there until when"
    assert "the consumer has M-1 from 2024-01-01" in told[3]
    assert "is not after" in told[4]
    assert told[5] == "the consumer C-9 is not known; import the consumers first"
    assert found.status == "failed"


def test_rows_that_cannot_be_taken_leave_the_others_be(give, grid):
    found = give(
        "consumer,zone,transformer,lon,lat\nC-3,NOWHERE,,,\nC-4,NORTH,T-99,,\nC-5,NORTH,T-1,500000,5540000\nC-6,North,T-1,9,50\n"
        "C-6,NORTH,T-2,9,50\n,NORTH,,,\nC-7,NORTH,,9,\n"
    )
    told = reasons(found)
    assert (found.status, found.created, found.refused) == ("applied", 1, 6)
    assert "the zone NOWHERE is not known" in told[2]
    assert "the transformer T-99 is not known" in told[3]
    assert "no longitude and latitude" in told[4]
    assert "line 5 names the same one already" in told[6]
    assert "Consumer number: the cell is empty" in told[7]
    assert "one of them is missing" in told[8]


def test_what_changes_stands_beside_what_names_the_row(give, grid):
    found = give(CONSUMERS.replace("Mill Lane 1", "Hill 1"), confirm=False)
    assert found.preview["columns"][:3] == ["Consumer number", "Address", "Name"]
    assert [new for new, _old in found.preview["rows"][0]["cells"][:3]] == ["C-1", "Hill 1", "Ann"]
    found = give("from,meter,consumer,until\n,M-1,C-1,2026-01-01\n", confirm=False)
    assert found.preview["columns"] == ["Meter", "Consumer", "Until (first day without it)"]


def test_all_or_nothing(give, grid):
    found = give("consumer,zone\nC-3,NORTH\nC-4,NOWHERE\n", strict=True)
    assert found.status == "failed"
    assert "Line 3: the zone NOWHERE is not known" in found.error
    assert not Consumer.objects.filter(number="C-3").exists()


def test_a_sum_meter_measures_no_consumer(give, grid):
    assert "measures a consumer" in reasons(give("transformer,feeder,meter\nT-1,F-1,M-1\n"))[2]
    give("transformer,feeder,meter\nT-1,F-1,S-1\n")
    assert "is the sum meter of a transformer" in reasons(give("consumer,meter\nC-1,S-1\n"))[2]
    assert "sum meter of another" in reasons(give("transformer,feeder,meter\nT-2,F-2,S-1\n"))[2]


# --- Readings that came first -----------------------------------------------------------------------------------------


def test_transformers_exchange_their_sum_meters_and_get_them_back(give, grid, sam):
    def sums():
        return list(Transformer.objects.order_by("code").values_list("code", "sum_meter__serial"))

    give("transformer,sum_meter\nT-1,S-1\nT-2,S-2\n")
    before = sums()
    found = give("transformer,feeder,sum_meter\nT-1,F-1,S-2\nT-2,F-2,S-3\nT-9,F-2,S-1\n")
    assert sums() == [("T-1", "S-2"), ("T-2", "S-3"), ("T-9", "S-1")]
    other = give("transformer,sum_meter\nT-2,S-2\nT-1,S-3\n")
    assert other.status == "applied"
    for one in (other, found):
        assert actions.undo(reference=one, by=sam).status == "undone"
    assert sums() == before


def test_a_list_of_meters_makes_no_sum_meter_of_one_that_measures_a_consumer(give, grid):
    give("transformer,sum_meter\nT-1,S-1\n")
    found = give("serial,kind\nM-1,sum\nS-1,consumer\nM-3,sum\n")
    assert [line for line, _reason, _text in found.refused_lines] == [2, 3]
    assert dict(Meter.objects.values_list("serial", "kind")) == {
        "M-1": "consumer",
        "M-2": "consumer",
        "M-3": "sum",
        "S-1": "sum",
    }


@pytest.mark.parametrize(
    ("header", "place"),
    [
        ("consumer,lon,lat", "50.01,9.01"),
        ("consumer,wkt", "POINT(50.01 9.01)"),
        ("feeder;wkt", "LINESTRING(50 9,51 9)"),
    ],
)
def test_longitude_and_latitude_that_are_exchanged_are_noticed_beside_what_is_known(give, grid, header, place):
    found = give(f"{header}\n" + (f"F-1;{place}\n" if ";" in header else f"C-1,{place}\n"))
    assert (found.status, found.refused) == ("failed", 1)
    assert "longitude and latitude exchanged" in found.error


def test_nothing_but_zeros_is_no_place(give, grid):
    assert give("consumer,lon,lat\nC-1,0,0.000\nC-2,9.5,0\n").changed == 1
    assert Consumer.objects.get(number="C-1").place.coords == (9.01, 50.01)


def test_places_that_all_were_exchanged_can_be_put_right(give, grid):
    Consumer.objects.update(place=Point(50.01, 9.01))
    Transformer.objects.update(place=None)
    assert give("consumer,lon,lat\nC-1,9.01,50.01\nC-2,9.02,50.02\n").changed == 2


def test_the_consumer_that_readings_made_becomes_the_one_who_it_is(give, grid):
    grid_actions.register_meters(["M-77"])
    stood = Consumer.objects.get(number="M-77")
    found = give("consumer,name,zone,meter\nC-77,Kim,NORTH,M-77\n")
    assert found.changed == 1
    stood.refresh_from_db()
    assert (stood.number, stood.name, stood.zone.code) == ("C-77", "Kim", "NORTH")
    actions.undo(reference=found, by=found.by)
    stood.refresh_from_db()
    assert (stood.number, stood.zone.is_unassigned) == ("M-77", True)


def test_a_meter_that_readings_registered_is_given_to_a_consumer_who_is_known(give, grid):
    grid_actions.register_meters(["M-77"])
    found = give("meter,consumer,from\nM-77,C-1,2025-06-01\n")
    assert links(consumer__number="C-1")[1] == ("C-1", "M-77", date(2025, 6, 1), None)
    assert not Consumer.objects.filter(number="M-77").exists()
    actions.undo(reference=found, by=found.by)
    assert links(meter__serial="M-77") == [("M-77", "M-77", None, None)]


def test_a_meter_that_readings_registered_turns_out_to_be_a_sum_meter(give, grid):
    grid_actions.register_meters(["S-1"])
    assert give("transformer,feeder,meter\nT-1,F-1,S-1\n").changed == 1
    assert Transformer.objects.get(code="T-1").sum_meter.kind == Meter.Kind.SUM
    assert not Consumer.objects.filter(number="S-1").exists()


# --- Undo -------------------------------------------------------------------------------------------------------------


def everything() -> dict[str, list]:
    """Every row of the grid, as the database keeps it."""
    found = {}
    with connection.cursor() as cursor:
        for model in (Zone, Feeder, Transformer, Meter, Consumer, Contract, Installation, Connection, Supply):
            cursor.execute(f"SELECT t::text FROM {model._meta.db_table} t ORDER BY 1")
            found[model.__name__] = cursor.fetchall()
    return found


@pytest.mark.parametrize(
    "content",
    [
        CONSUMERS.replace("Ann", "Anne").replace("M-1,2024", "M-9,2025").replace("T-1,K-2", "T-2,K-9")
        + "C-3,Cy,,,,,,,,,\n",
        TRANSFORMERS.replace("400", "630").replace("9.05", "9.07") + "T-3,F-1,100,9,50\n",
        'zone,name,price,wkt\nWEST,Far west,0.4,"POLYGON((8 50,9 50,9 51,8 50))"\n',
        "meter,consumer,from,until,first_read,final_read\nM-1,C-1,,2025-05-01,,812.5\nM-6,C-1,2025-05-01,,0,\n",
        "contract,customer,tariff,status,start_date,end_date\nK-1,C-1,shop,ended,2024-01-01,2025-01-01\nK-7,C-1,,,2025-01-01,\n",
    ],
    ids=["consumers", "transformers", "zones", "installations", "supplies"],
)
def test_undo_makes_everything_as_it_was(give, grid, content):
    before = everything()
    found = give(content)
    assert (found.status, found.refused) == ("applied", 0)
    assert everything() != before
    undone = actions.undo(reference=found, by=found.by)
    assert (undone.status, undone.error) == ("undone", "")
    assert everything() == before


def test_what_was_changed_since_is_not_taken_back(give, grid):
    found = give("consumer,name\nC-1,Anne\n")
    Consumer.objects.filter(number="C-1").update(address="elsewhere")
    undone = actions.undo(reference=found, by=found.by)
    assert (undone.status, undone.undone_by) == ("applied", None)
    assert "1 of its consumers was changed or deleted since (C-1)" in undone.error
    assert Consumer.objects.get(number="C-1").name == "Anne"


def test_what_is_used_by_now_is_not_taken_away(give, grid):
    found = give("consumer,name,zone\nC-3,Cy,NORTH\n")
    factories.InspectionFactory(consumer=Consumer.objects.get(number="C-3"))
    undone = actions.undo(reference=found, by=found.by)
    assert "used by now (inspections)" in undone.error
    assert Consumer.objects.filter(number="C-3").exists()


def test_an_import_is_taken_back_once(give, grid):
    found = give("consumer,name\nC-1,Anne\n")
    actions.undo(reference=found, by=found.by)
    with pytest.raises(actions.MoveNotAllowed):
        actions.undo(reference=found, by=found.by)


# --- Who may ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def nora(north):
    """Supervises the north alone."""
    return factories.UserFactory(username="nora", roles=["Supervisors"], zones=[Zone.objects.get(code="NORTH")])


def test_somebody_with_zones_of_their_own_changes_nothing_elsewhere(give, grid, nora):
    give("consumer,zone,meter,transformer\nC-9,WEST,M-9,T-2\n")
    told = reasons(
        give(
            "consumer,name,zone,meter,transformer\nC-9,X,,,\nC-5,X,WEST,,\nC-6,X,NORTH,M-9,\nC-1,X,,,T-2\nC-2,X,,,T-1\n",
            by=nora,
        )
    )
    assert "you do not look after" in told[2]
    assert "the zone WEST is not known" in told[3]
    assert "in a zone that you do not look after" in told[4]
    assert "the transformer T-2 is not known" in told[5]
    assert Consumer.objects.get(number="C-2").name == "X"
    assert "somebody who sees all" in reasons(give("zone,name\nEAST,East\n", by=nora))[2]
    assert "C-9" not in str(reasons(give("meter,consumer,from\nM-9,C-1,2020-01-01\n", by=nora)))


def test_an_import_is_seen_by_its_sender_and_by_those_who_see_everything(give, grid, nora, ana):
    found = give("consumer,name\nC-1,X\n", by=nora)
    assert ReferenceImport.objects.visible_to(ana).contains(found)
    assert list(ReferenceImport.objects.visible_to(nora)) == [found]


# --- Meter replacement ------------------------------------------------------------------------------------------------


def test_a_replaced_meter_ends_where_the_next_begins_and_keeps_its_register(grid, sam):
    consumer = Consumer.objects.get(number="C-1")
    found = replacing.replace_meter(
        consumer=consumer, serial="M-9", on=date(2026, 4, 1), last_register_kwh=Decimal("812.5"), by=sam
    )
    assert found.status == "applied"
    old, new = consumer.installations.order_by("valid")
    assert (old.valid, old.last_register_kwh) == (DateRange(date(2024, 1, 1), date(2026, 4, 1)), Decimal("812.5"))
    assert (new.valid, new.first_register_kwh) == (DateRange(date(2026, 4, 1), None), None)
    actions.undo(reference=found, by=sam)
    assert links(consumer=consumer) == [("C-1", "M-1", date(2024, 1, 1), None)]


def test_a_meter_that_measures_somebody_else_replaces_none(grid, sam):
    found = replacing.replace_meter(
        consumer=Consumer.objects.get(number="C-1"), serial="M-2", on=date(2026, 4, 1), by=sam
    )
    assert found.status == "failed"
    assert "M-2 is at the consumer C-2" in found.error
    assert len(links()) == 2
    assert not ReferenceChange.objects.filter(reference=found).exists()
