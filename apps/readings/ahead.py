"""Two steps of one work at the same time, where the machine has the cores: NumPy, Arrow and the database's client let
other threads run while they work."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from django.conf import settings
from django.utils import translation

Item = TypeVar("Item")


def made_ahead(items: Generator[Item], most: int) -> Iterator[Item]:
    """The same items, up to so many of them made by another thread while the caller works on one. None ends them."""
    language = translation.get_language() or settings.LANGUAGE_CODE  # a thread begins without one
    with closing(items), ThreadPoolExecutor(1, initializer=translation.activate, initargs=[language]) as thread:
        waiting = deque(thread.submit(next, items, None) for _ in range(most))
        while (item := waiting.popleft().result()) is not None:
            waiting.append(thread.submit(next, items, None))
            yield item
