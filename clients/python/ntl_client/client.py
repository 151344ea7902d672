"""The client. Every request that can be repeated without harm is repeated, with growing pauses or those that the server
asks for; pushes and uploads can, as the server recognises what it has already."""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import requests
from tqdm import tqdm

from ntl_client.errors import Busy, ImportFailed, NotAllowed, NotReached, Refused
from ntl_client.readings import Block, blocks_of_frame

TRY_AGAIN = {429, 502, 503, 504}
PAUSE_SECONDS = (0.5, 30.0)  # the first, and the longest of its own choice
CHUNK_BYTES = 1024**2
BLOCKS_AT_ONCE, VALUES_AT_ONCE = 5000, 200_000


@dataclass(frozen=True)
class Upload:
    """A file on the server. `status`: pending, imported, failed, withdrawn."""

    id: int
    url: str
    status: str
    error: str = ""
    progress: float = 0.0
    readings: int = 0
    register_reads: int = 0
    events: int = 0
    meters: int = 0
    meters_registered: int = 0
    held_meters: list[str] = field(default_factory=list)
    days_new: int = 0
    days_changed: int = 0
    days_same: int = 0
    rejected: int = 0
    rejected_url: str = ""
    already: bool = False  # the same content came before, and nothing was changed
    note: str = ""  # what of the statement had no effect, as the content had come with another
    raw: dict[str, Any] = field(default_factory=dict, repr=False)  # all that the server said

    @classmethod
    def of(cls, answer: dict[str, Any]) -> "Upload":
        known = {one.name for one in fields(cls)} - {"raw"}
        return cls(**{name: value for name, value in answer.items() if name in known}, raw=answer)

    @property
    def is_settled(self) -> bool:
        return self.status not in {"draft", "pending"}


@dataclass
class Pushed:
    """What became of a push. `refusals` name blocks by their place among all that were given."""

    readings: int = 0
    days: int = 0
    meters_registered: int = 0
    held_meters: list[str] = field(default_factory=list)
    refused: int = 0
    refusals: list[dict[str, Any]] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)  # what was large became uploads, which are imported by and by


class Client:
    """`key` is a key of an API client. `retries` is how often a request is repeated; 0 for never.

    Not for several threads at once: give each its own.
    """

    def __init__(self, address: str, key: str, *, retries: int = 8, timeout: float = 60.0):
        self.address = address.rstrip("/") + "/api/v1"
        self.retries, self.timeout = retries, timeout
        self.session = requests.Session()
        self.session.headers.update({"Authorization": f"Api-Key {key}", "Accept": "application/json"})

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self.session.close()

    def upload(
        self,
        file: "str | Path",
        *,
        wait: bool = False,
        progress: bool = False,
        idempotency_key: str | None = None,
        **statement: Any,
    ) -> Upload:
        """Send a file of any known format. `statement`: sender, timezone, stamps, measures, unit, multiplier, format,
        date_order.

        With `wait` it returns once the file is imported, and raises ImportFailed where nothing of it could be taken.
        `progress` shows a bar.
        """
        path = Path(file)
        with _bar(path.stat().st_size, path.name, progress) as bar:

            def stream() -> "Iterator[bytes]":
                bar.reset()
                with path.open("rb") as opened:
                    yield from _chunks(opened, bar)

            answer = self._ask(
                "POST",
                f"{self.address}/uploads",
                params={"name": path.name, **statement},
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(path.stat().st_size),
                    "Idempotency-Key": idempotency_key or str(uuid.uuid4()),
                },
                stream=stream,
            )
        found = Upload.of(answer)
        if not wait:
            return found
        # Only the first answer says these: the upload itself is the same, whoever sent it again.
        return replace(self.wait(found, progress=progress), already=found.already, note=found.note)

    def push(
        self, readings: "Iterable[Block] | Any", *, interval_minutes: int | None = None, **statement: Any
    ) -> Pushed:
        """Send blocks of readings (see `block`), or a pandas frame with its `interval_minutes`. `statement`: sender,
        timezone. What was taken is stored when this returns; what was refused is told and raises nothing."""
        if hasattr(readings, "columns"):
            if interval_minutes is None:
                raise ValueError("Say the interval_minutes of the frame.")
            readings = blocks_of_frame(readings, interval_minutes)
        total, sent = Pushed(), 0
        for some in _batches(readings):
            self._push_some(some, sent, total, statement)
            sent += len(some)
        return total

    def _push_some(self, blocks: list[Block], place: int, total: Pushed, statement: dict[str, Any]) -> None:
        body = json.dumps({"readings": blocks}, separators=(",", ":"), allow_nan=False).encode()
        answer = self._ask(
            "POST",
            f"{self.address}/readings",
            params=statement,
            headers={"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())},
            data=body,
            also=(422,),
        )
        if "refusals" not in answer:  # large: it became an upload
            total.uploads.append(Upload.of(answer))
            return
        total.readings += answer["readings"]
        total.days += answer["days"]
        total.meters_registered += answer["meters_registered"]
        total.held_meters += answer["held_meters"]
        total.refused += answer["refused"]
        total.refusals += ({**one, "index": one["index"] + place} for one in answer["refusals"])

    def status(self, upload: "Upload | int") -> Upload:
        return Upload.of(self._ask("GET", self._address_of(upload)))

    def wait(self, upload: "Upload | int", *, progress: bool = False, patience: float = 3600.0) -> Upload:
        """Wait until the upload is imported. Raises ImportFailed where it failed, TimeoutError when patience ends."""
        deadline, pause = time.monotonic() + patience, 0.2
        with tqdm(total=100, desc="Importing", unit="%", disable=not progress, leave=False) as bar:
            while True:
                found = self.status(upload)
                bar.update(round(100 * found.progress) - bar.n)
                if found.status == "failed":
                    raise ImportFailed(found)
                if found.is_settled:
                    return found
                if time.monotonic() > deadline:
                    raise TimeoutError(f"Upload {found.id} still waits after {patience:.0f} s: {found.url}")
                time.sleep(pause)
                pause = min(pause * 1.5, 5.0)

    def rejected_lines(self, upload: Upload) -> Iterator[dict[str, Any]]:
        """Lines of an upload that were not taken: line, reason and text."""
        yield from self._pages(upload.rejected_url)

    def consumer(self, number: str) -> dict[str, Any]:
        """The risk profile of a consumer."""
        return self._ask("GET", f"{self.address}/consumers/{quote(number, safe='')}")

    def cases(self, **filters: Any) -> Iterator[dict[str, Any]]:
        yield from self._pages(f"{self.address}/cases", filters)

    def _address_of(self, upload: "Upload | int") -> str:
        return upload.url if isinstance(upload, Upload) else f"{self.address}/uploads/{upload}"

    def _pages(self, address: str, params: "dict[str, Any] | None" = None) -> Iterator[dict[str, Any]]:
        following: str | None = address
        while following:
            page = self._ask("GET", following, params=params)
            yield from page["results"]
            following, params = page["next"], None

    def _ask(
        self,
        method: str,
        address: str,
        *,
        stream: "Callable[[], Iterator[bytes]] | None" = None,
        also: tuple[int, ...] = (),
        **request: Any,
    ) -> dict[str, Any]:
        """The answer's JSON. `stream` makes the body anew for every try; `also` are answers that are no refusals."""
        for turn in range(self.retries + 1):
            try:
                if stream is not None:
                    request["data"] = _Sized(stream(), int(request["headers"]["Content-Length"]))
                response = self.session.request(method, address, timeout=self.timeout, **request)
            except (requests.ConnectionError, requests.Timeout) as error:
                if turn == self.retries:
                    raise NotReached(f"{address} does not answer: {error}") from error
                time.sleep(_pause(turn))
                continue
            if response.status_code not in TRY_AGAIN or turn == self.retries:
                return _read(response, also)
            time.sleep(_pause(turn, response.headers.get("Retry-After", "")))
        raise AssertionError  # the last turn returns or raises


class _Sized:
    """A body with a length, so that the server can refuse it before it is sent."""

    def __init__(self, chunks: Iterator[bytes], size: int):
        self.chunks, self.size = chunks, size

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks

    def __len__(self) -> int:
        return self.size


def _read(response: requests.Response, also: tuple[int, ...]) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = {"detail": response.text[:500] or response.reason}
    if response.ok or response.status_code in also:
        return answer
    sort = {401: NotAllowed, 403: NotAllowed}.get(response.status_code, Refused)
    raise (Busy if response.status_code in TRY_AGAIN else sort)(response.status_code, answer)


def _pause(turn: int, asked: str = "") -> float:
    """Seconds before the next try: what the server asks for, else twice as long each time, and not all at once."""
    first, longest = PAUSE_SECONDS
    own = min(longest, first * 2**turn) * random.uniform(0.5, 1)  # noqa: S311 no secret
    return max(own, float(asked)) if asked.isdigit() else own


def _chunks(opened: BinaryIO, bar: Any) -> Iterator[bytes]:
    while chunk := opened.read(CHUNK_BYTES):
        yield chunk
        bar.update(len(chunk))


def _bar(size: int, name: str, shown: bool) -> Any:
    return tqdm(total=size, desc=name, unit="B", unit_scale=True, unit_divisor=1024, disable=not shown)


def _batches(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """As many blocks as the server takes at once while it is waited for."""
    some: list[Block] = []
    values = 0
    for one in blocks:
        size = len(one["kwh"]) if isinstance(one["kwh"], list) else 1
        if some and (len(some) == BLOCKS_AT_ONCE or values + size > VALUES_AT_ONCE):
            yield some
            some, values = [], 0
        some.append(one)
        values += size
    if some:
        yield some
