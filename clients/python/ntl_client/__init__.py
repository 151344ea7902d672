"""Client of ntl-web: `Client(address, key).upload("readings.csv")`, `.push([...])`, `.consumer("C-000123")`."""

from ntl_client.client import Client, Pushed, Upload
from ntl_client.errors import Busy, ImportFailed, NotAllowed, NotReached, NtlError, Refused
from ntl_client.readings import Block, block, blocks_of_frame

__all__ = [
    "Block",
    "Busy",
    "Client",
    "ImportFailed",
    "NotAllowed",
    "NotReached",
    "NtlError",
    "Pushed",
    "Refused",
    "Upload",
    "block",
    "blocks_of_frame",
]
