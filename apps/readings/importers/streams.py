"""Files that tell a meter's energy in several ways: forward and net, hours and their days. One of them is read."""

from collections.abc import Hashable, Iterable


class Streams:
    """Which times of a meter and channel are told by which stream. A stream that begins where another one ended is
    taken, as meters are set to other intervals."""

    def __init__(self) -> None:
        self.told: dict[Hashable, dict[str, tuple]] = {}

    def takes(self, meters: Iterable[Hashable], stream: str, first: int | str, last: int | str) -> bool:
        """Is what lies from `first` to `last` not told of any of these meters, each with its channel? It is from then
        on."""
        told = [self.told.setdefault(meter, {}) for meter in meters]
        for spans in told:
            if any(begin <= last and first <= end for name, (begin, end) in spans.items() if name != stream):
                return False
        for spans in told:
            begin, end = spans.get(stream, (first, last))
            spans[stream] = (min(begin, first), max(end, last))
        return True
