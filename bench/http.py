"""A client that costs little beside the server that it measures: requests over kept connections, many at a time."""

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import urlsplit


def post_all(address: str, path: str, key: str, bodies: Sequence[bytes], connections: int) -> tuple[list, list]:
    """Post each body once. Returns the seconds (perf_counter) at which each was begun and answered, in their order."""
    return asyncio.run(_post_all(address, path, key, bodies, connections))


async def _post_all(address: str, path: str, key: str, bodies: Sequence[bytes], connections: int):
    begun, answered, waiting = [0.0] * len(bodies), [0.0] * len(bodies), list(range(len(bodies)))[::-1]
    where = urlsplit(address)

    async def work():
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        while waiting:
            one = waiting.pop()
            begun[one] = time.perf_counter()
            writer.write(
                f"POST {path} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Api-Key {key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(bodies[one])}\r\n\r\n".encode()
            )
            writer.write(bodies[one])
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length"))
            content = await reader.readexactly(length)
            answered[one] = time.perf_counter()
            assert " 200 " in lines[0], (lines[0], content[:500])
            if any(line.lower() == "connection: close" for line in lines):
                writer.close()
                reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.close()

    await asyncio.gather(*(work() for _ in range(min(connections, len(bodies)))))
    return begun, answered
