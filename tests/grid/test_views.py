import re
from datetime import date

import numpy as np
import pytest
from django.urls import reverse

from apps.grid.actions import register_meters
from apps.grid.models import Consumer, Zone
from apps.readings.models import RegisterRead
from tests import factories


@pytest.fixture
def waiting(north):
    register_meters(["M-1", "M-2", "X-3"])
    return list(Consumer.objects.filter(zone__code=Zone.UNASSIGNED).order_by("number"))


def test_ticked_consumers_move_to_the_zone(client, sam, north, waiting):
    client.force_login(sam)
    client.post(reverse("consumers_unassigned"), {"zone": north.pk, "consumers": [waiting[0].pk]})
    assert list(north.consumers.all()) == [waiting[0]]


def test_all_that_the_search_found_move_at_once(client, sam, north, waiting):
    client.force_login(sam)
    address = reverse("consumers_unassigned") + "?q=m-"
    response = client.post(address, {"zone": north.pk, "everybody": "1"})
    assert response.url == address
    assert {consumer.number for consumer in north.consumers.all()} == {"M-1", "M-2"}


def test_nothing_ticked_is_said(client, sam, north, waiting):
    client.force_login(sam)
    response = client.post(reverse("consumers_unassigned"), {"zone": north.pk}, follow=True)
    assert b"Tick at least one consumer" in response.content
    assert not north.consumers.exists()


def test_a_search_for_what_no_text_can_hold_is_no_500(client, sam, waiting):
    client.force_login(sam)
    assert client.get(reverse("consumers_unassigned") + "?q=%00m-1").status_code == 200


def test_readings_of_days_and_of_billing_cycles_both_say_how_far_data_goes(client, sam, waiting):
    days, cycles, _silent = (consumer.installations.get().meter for consumer in waiting)
    factories.store_profiles(days, date(2026, 3, 1), np.ones((2, 24)))
    january = {"start": date(2026, 1, 1), "end": date(2026, 1, 31)}
    RegisterRead.objects.create(meter=cycles, kwh=100, upload=factories.UploadFactory(), **january)
    client.force_login(sam)
    page = client.get(reverse("consumers_unassigned")).content.decode()
    assert re.findall(r'<td class="num">(.*?)</td>', page) == ["2 Mar 2026", "31 Jan 2026", "–"]


def test_who_was_made_for_a_meter_that_went_elsewhere_waits_for_no_zone(client, sam, north, waiting):
    gone, named, _stays = waiting
    named.name = "Kim"
    named.save()
    for consumer in (gone, named):
        consumer.installations.update(consumer=factories.ConsumerFactory(zone=north))
    # A list of consumers named this one, and nothing about it yet.
    Consumer.objects.create(number="C-1", zone=gone.zone)
    client.force_login(sam)
    listed = client.get(reverse("consumers_unassigned")).context["page"]
    assert [consumer.number for consumer in listed] == ["C-1", "M-2", "X-3"]


@pytest.fixture
def admin(client, sam):
    sam.is_staff = sam.is_superuser = True
    sam.save()
    client.force_login(sam)
    return client


@pytest.mark.parametrize("model", ["zone", "zoneassignment", "feeder", "transformer", "meter", "consumer", "contract"])
def test_reference_data_is_listed_and_added_in_the_admin(admin, street, model):
    assert admin.get(reverse(f"admin:grid_{model}_changelist")).status_code == 200
    assert admin.get(reverse(f"admin:grid_{model}_add")).status_code == 200


def test_a_consumer_is_edited_with_its_links_on_a_map(admin, street):
    response = admin.get(reverse("admin:grid_consumer_change", args=[street[0].pk]))
    assert b"leaflet" in response.content
    # Only the forms that draw relax the policy.
    assert "script-src 'self' 'unsafe-inline'" in response["Content-Security-Policy"]
    assert "unsafe-inline" not in admin.get(reverse("home"))["Content-Security-Policy"].replace(
        "style-src 'self' 'unsafe-inline'", ""
    )


def test_who_looks_after_a_zone_is_edited_with_the_person(admin, ines):
    response = admin.get(reverse("admin:accounts_user_change", args=[ines.pk]))
    assert b"zone_assignments-0-zone" in response.content


def test_staff_who_look_after_one_zone_find_no_consumer_of_another(client, north, south):
    user = factories.UserFactory(roles=["Supervisors"], zones=[north], is_staff=True)
    own, other = factories.ConsumerFactory(zone=north), factories.ConsumerFactory(zone=south)
    client.force_login(user)
    listed = client.get(reverse("admin:grid_consumer_changelist")).content.decode()
    assert own.number in listed
    assert other.number not in listed
    assert client.get(reverse("admin:grid_consumer_change", args=[own.pk])).status_code == 200
    assert client.get(reverse("admin:grid_consumer_change", args=[other.pk])).status_code == 302


def test_a_meter_is_never_deleted(admin, street):
    meter = street[0].installations.get().meter
    assert admin.post(reverse("admin:grid_meter_delete", args=[meter.pk])).status_code == 403


def test_a_new_key_is_shown_once(admin, sam):
    response = admin.post(reverse("admin:accounts_apiclient_add"), {"name": "billing", "user": sam.pk}, follow=True)
    client = sam.api_clients.get()
    assert f"shown this once: {client.prefix}" in response.content.decode()
    again = admin.get(reverse("admin:accounts_apiclient_change", args=[client.pk])).content.decode()
    assert "shown this once" not in again
    assert client.key_hash not in again


def test_outcomes_are_recorded_without_a_case(admin, street):
    assert admin.get(reverse("admin:inspections_inspection_changelist")).status_code == 200
    assert factories.InspectionFactory(consumer=street[1]).pk
