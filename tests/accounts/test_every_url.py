"""Every address, asked for by those who should not get it. A new address fails here until somebody lists it."""

from dataclasses import dataclass

import pytest
from django.db import transaction
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone

from tests import factories

LOGIN = "login"  # redirected to the log-in page


@dataclass(frozen=True)
class Expected:
    anonymous: int | str
    outsider: int  # logged in, without any role
    otto: int  # an investigator of another zone than the one that everything lies in
    method: str = "get"
    of: str = ""  # which object of the north the address names


def page(otto: int, **more) -> Expected:
    return Expected(LOGIN, 403, otto, **more)


def api(otto: int, **more) -> Expected:
    return Expected(401, 403, otto, **more)


ADDRESSES = {
    "login": Expected(200, 302, 302),
    "logout": Expected(LOGIN, 302, 302, method="post"),
    "health": Expected(200, 200, 200),
    "home": page(200),
    "case_queue": page(200),
    "case": page(404, of="case"),
    "case_assign": page(404, of="case", method="post"),
    "case_note": page(404, of="case", method="post"),
    "case_move": page(404, of="case", method="post"),
    "case_close": page(404, of="case", method="post"),
    "case_reopen": page(404, of="case", method="post"),
    "map": page(200),
    "map_data": page(400),  # without a box
    "consumer_search": page(200),
    "consumer": page(404, of="consumer"),
    "consumers_unassigned": page(403),
    "reference_list": page(403),
    "reference_new": page(403),
    "reference_example": page(403, of="kind"),
    "reference": page(403, of="reference"),
    "reference_confirm": page(403, of="reference", method="post"),
    "reference_discard": page(403, of="reference", method="post"),
    "reference_undo": page(403, of="reference", method="post"),
    "reference_refused": page(403, of="reference"),
    "meter_replace": page(403, of="consumer"),
    "upload_list": page(403),
    "upload_new": page(403),
    "upload": page(403, of="upload"),
    "upload_confirm": page(403, of="upload", method="post"),
    "upload_discard": page(403, of="upload", method="post"),
    "upload_retry": page(403, of="upload", method="post"),
    "upload_withdraw": page(403, of="upload", method="post"),
    "upload_restore": page(403, of="upload", method="post"),
    "upload_rejected": page(403, of="upload"),
    "data_quality": page(200),
    "validation_rules": page(403),
    "validation_retry": page(403, method="post"),
    "reading_edit": page(403, of="consumer", method="post"),
    "reading_edit_undo": page(403, of="edit", method="post"),
    "cases_of_upload": page(403, of="upload"),
    "run_list": page(403),
    "shard_retry": page(403, of="shard", method="post"),
    "model_list": page(403),
    "model": page(403, of="model"),
    "model_train": page(403, method="post"),
    "model_training": page(403),
    "model_activate": page(403, of="model", method="post"),
    "analytics": page(403),
    "zero_queue": page(200),
    "balance_list": page(200),
    "balance": page(404, of="transformer"),
    "api-balances": api(200),
    "api-readings": Expected(401, 403, 403, method="post"),
    "api-uploads": api(403),
    "api-register-reads": api(200),
    "api-validation-hits": api(200),
    "api-upload": api(403, of="upload"),
    "api-upload-withdraw": api(403, of="upload", method="post"),
    "api-upload-restore": api(403, of="upload", method="post"),
    "api-upload-rejected": api(403, of="upload"),
    "api-references": api(403),
    "api-reference": api(403, of="reference"),
    "api-reference-undo": api(403, of="reference", method="post"),
    "api-zones": api(200),
    "api-feeders": api(200),
    "api-transformers": api(200),
    "api-meters": api(200),
    "api-grid-consumers": api(200),
    "api-meter-replacements": api(403, method="post"),
    "api-consumer": api(404, of="consumer"),
    "api-predict": api(403, method="post"),
    "api-cases": api(200),
    "api-case": api(404, of="case"),
    "api-nowhere": Expected(401, 404, 404, of="consumer"),
    # What the API can do is no secret among those who may log in.
    "schema": Expected(401, 200, 200),
    "api-docs": Expected(401, 200, 200),
}


def names(patterns) -> list[str]:
    found = []
    for pattern in patterns:
        if not isinstance(pattern, URLResolver):
            found.append(pattern.name)
        elif pattern.namespace != "admin":
            found += names(pattern.url_patterns)
    return found


@pytest.fixture
def address(case):
    """The address of that name, of an object in the north. All names are asked for in one test, as the objects take
    ten times as long to make as their pages to answer."""
    upload = factories.UploadFactory(by=factories.UserFactory(username="somebody"), imported_at=timezone.now())
    run = case.score.run
    objects = {
        "": [],
        "case": [case.pk],
        "consumer": [case.consumer.number],
        "upload": [upload.pk],
        "shard": [run.shards.create(consumer_ids=[case.consumer_id], status="failed").pk],
        "model": [run.model_version_id],
        "kind": ["consumers"],
        "reference": [factories.ReferenceImportFactory().pk],
        "edit": [factories.ReadingEditFactory(meter=factories.InstallationFactory(consumer=case.consumer).meter).pk],
        "transformer": [factories.TransformerFactory(feeder__zone=case.consumer.zone).pk],
    }
    return lambda name: reverse(name, args=objects[ADDRESSES[name].of])


def test_every_address_is_listed_here():
    assert sorted(names(get_resolver().url_patterns)) == sorted(ADDRESSES)


def ask(client, name, url, method=""):
    """The answer; what the question changed is as it was before."""
    with transaction.atomic():
        response = client.generic(method or ADDRESSES[name].method.upper(), url)
        transaction.set_rollback(True)
    return response


def test_nobody_gets_in_without_a_log_in(client, address):
    def answer(name):
        response = ask(client, name, address(name))
        to_login = response.status_code == 302 and response.url.startswith(reverse(LOGIN))
        return LOGIN if to_login else response.status_code

    assert {name: answer(name) for name in ADDRESSES} == {name: one.anonymous for name, one in ADDRESSES.items()}


def test_somebody_without_a_role_sees_nothing(client, address):
    outsider = factories.UserFactory(username="outsider")

    def answer(name):
        client.force_login(outsider)  # anew, as one of the addresses logs out
        return ask(client, name, address(name)).status_code

    assert {name: answer(name) for name in ADDRESSES} == {name: one.outsider for name, one in ADDRESSES.items()}


def test_an_investigator_of_another_zone_finds_nothing_of_this_one(client, address, otto):
    def answer(name):
        client.force_login(otto)
        return ask(client, name, address(name)).status_code

    assert {name: answer(name) for name in ADDRESSES} == {name: one.otto for name, one in ADDRESSES.items()}


def test_what_is_looked_at_is_neither_changed_nor_deleted(client, address, sam):
    sam.is_superuser = True
    sam.save()
    client.force_login(sam)
    looked_at = [name for name, expected in ADDRESSES.items() if expected.method == "get"]
    found = {name: ask(client, name, address(name), "HEAD").status_code for name in looked_at}
    assert found.pop("map_data") == 400
    assert set(found.values()) <= {200, 302, 404}
    for method in ("PUT", "DELETE"):
        taken = [name for name in looked_at if ask(client, name, address(name), method).status_code != 405]
        assert sorted(taken) == ["api-nowhere", "login"]


def test_the_admin_is_for_staff(client, otto):
    client.force_login(otto)
    response = client.get(reverse("admin:index"))
    assert response.status_code == 302
