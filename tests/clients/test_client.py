"""The official client and a server that is told what to answer: what is repeated, how late, and what is raised."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest
from ntl_client import Busy, Client, ImportFailed, NotAllowed, NotReached, Refused, block, blocks_of_frame
from ntl_client import client as client_module
from ntl_client.command import main

IMPORTED = {"id": 1, "url": "/", "status": "imported", "readings": 24, "meters": 1, "progress": 1.0}


class Told(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), body))
        status, answer, headers = self.server.answers.pop(0)
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self.headers["Content-Length"] = "0"
        self.do_POST()

    def log_message(self, *_args):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Told)
    server.daemon_threads = True
    server.asked, server.answers = [], []
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def pauses(monkeypatch):
    found = []
    monkeypatch.setattr(client_module.time, "sleep", found.append)
    return found


@pytest.fixture
def client(server):
    with Client(server.address, "secret", retries=2) as client:
        yield client


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("meter,timestamp,kwh\n")
    return file


def test_a_busy_server_is_asked_again_as_late_as_it_says_with_the_same_key_and_content(server, client, file, pauses):
    server.answers = [(429, {"detail": "long"}, {"Retry-After": "7"}), (503, {}, {}), (202, IMPORTED, {})]
    assert client.upload(file, sender="north").readings == 24
    assert pauses[0] == 7
    assert 0 < pauses[1] <= 1
    (path, headers, body), *others = server.asked
    assert path == "/api/v1/uploads?name=a.csv&sender=north"
    assert body == file.read_bytes()
    assert headers["Authorization"] == "Api-Key secret"
    assert {(asked["Idempotency-Key"], sent) for _path, asked, sent in others} == {(headers["Idempotency-Key"], body)}


@pytest.mark.parametrize(
    ("status", "raised"), [(401, NotAllowed), (403, NotAllowed), (400, Refused), (409, Refused), (413, Refused)]
)
def test_what_asking_again_would_not_mend_is_raised_at_once_with_its_reason(server, client, file, status, raised):
    server.answers = [(status, {"detail": "because"}, {})]
    with pytest.raises(raised, match=f"{status}: because"):
        client.upload(file)
    assert len(server.asked) == 1


def test_a_server_that_stays_busy_or_away_is_given_up(server, client, pauses):
    server.answers = [(503, {"detail": "later"}, {})] * 3
    with pytest.raises(Busy, match="later"):
        client.consumer("C-1")
    with pytest.raises(NotReached), Client("http://127.0.0.1:1", "secret", retries=1) as nobody:
        nobody.consumer("C-1")
    assert len(pauses) == 3


def test_waiting_ends_with_the_import_or_with_why_it_failed(server, client, pauses):
    server.answers = [(200, {**IMPORTED, "status": "pending", "progress": 0.5}, {}), (200, IMPORTED, {})]
    assert client.wait(1).status == "imported"
    server.answers = [(200, {**IMPORTED, "status": "failed", "error": "no readings"}, {})]
    with pytest.raises(ImportFailed, match="no readings"):
        client.wait(1)


def test_what_came_before_is_still_known_to_have_come_when_its_import_was_waited_for(server, client, file, capsys):
    first = {**IMPORTED, "url": f"{server.address}/x", "already": True, "note": "Taken otherwise."}
    server.answers = [(200, first, {}), (200, {**IMPORTED}, {})] * 2
    again = client.upload(file, wait=True)
    assert (again.already, again.note) == (True, "Taken otherwise.")
    assert main(["--address", server.address, "--key", "secret", "--quiet", str(file)]) == 0
    assert capsys.readouterr().out.endswith(", known already\nTaken otherwise.\n")


def test_a_long_push_goes_in_parts_and_refusals_keep_their_places(server, client, monkeypatch):
    monkeypatch.setattr(client_module, "BLOCKS_AT_ONCE", 2)
    taken = {"readings": 2, "days": 2, "meters_registered": 0, "held_meters": [], "refused": 0, "refusals": []}
    refused = {**taken, "readings": 0, "refused": 1, "refusals": [{"index": 0, "reason": "negative", "text": ""}]}
    server.answers = [(200, taken, {}), (422, refused, {})]
    pushed = client.push([block("M-1", "2026-03-01T00:00:00Z", 60, value) for value in (1, 2, -1)])
    assert (pushed.readings, pushed.refused, pushed.refusals[0]["index"]) == (2, 1, 2)


def test_numbers_of_numpy_and_pandas_become_blocks():
    found = block("M-1", datetime(2026, 3, 1, tzinfo=UTC), 60, np.array([1, np.nan], np.float32), quality="estimated")
    assert (found["start"], found["kwh"], found["quality"]) == ("2026-03-01T00:00:00+00:00", [1.0, None], "estimated")
    stamps = pd.to_datetime(["2026-03-01 01:00", "2026-03-01 00:00", "2026-03-01 05:00"], utc=True)
    long = pd.DataFrame({"meter": "M-1", "timestamp": stamps, "kwh": [2.0, 1.0, 3.0]})
    assert [one["kwh"] for one in blocks_of_frame(long, 60)] == [[1.0, 2.0], [3.0]]
    wide = pd.DataFrame({"M-1": [1.0, 2.0], "M-2": [3.0, None]}, index=stamps[[1, 0]])
    assert [(one["meter"], one["kwh"]) for one in blocks_of_frame(wide, 60)] == [("M-1", [1, 2]), ("M-2", [3, None])]


def test_a_start_without_a_time_zone_is_refused_before_anything_is_sent():
    with pytest.raises(ValueError, match="time zone"):
        block("M-1", datetime(2026, 3, 1), 60, 1.0)


def test_the_command_says_what_came_in_and_ends_with_one_where_a_file_failed(server, file, capsys):
    server.answers = [(202, IMPORTED, {}), (200, {**IMPORTED, "url": server.address}, {})]
    server.answers[0] = (202, {**IMPORTED, "url": f"{server.address}/x"}, {})
    arguments = ["--address", server.address, "--key", "secret", "--quiet"]
    assert main([*arguments, str(file)]) == 0
    assert "24 readings of 1 meters" in capsys.readouterr().out
    assert main([*arguments, "no-such-file"]) == 1
