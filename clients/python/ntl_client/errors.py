"""What can go wrong, each with what the server said about it."""

from typing import Any


class NtlError(Exception):
    """Anything below."""


class NotReached(NtlError):
    """The server did not answer, however often it was asked. Nothing is known about the last request: repeat it, the
    server recognises what it has already."""


class Refused(NtlError):
    """The server will not take this request, and asking again would not help."""

    def __init__(self, status: int, faults: Any):
        super().__init__(f"{status}: {_worded(faults)}")
        self.status = status
        self.faults = faults  # by field, or a text


class NotAllowed(Refused):
    """The key is not known, or its user may not do this."""


class Busy(Refused):
    """The server is still busy after all retries (429, 502, 503, 504)."""


class ImportFailed(NtlError):
    """The file arrived, and nothing of it could be taken. `upload` has the reason in `error`."""

    def __init__(self, upload: Any):
        super().__init__(upload.error)
        self.upload = upload


def _worded(faults: Any) -> str:
    if isinstance(faults, dict):
        if set(faults) == {"detail"}:
            return _worded(faults["detail"])
        return "; ".join(f"{name}: {_worded(value)}" for name, value in faults.items())
    if isinstance(faults, list):
        return ", ".join(_worded(one) for one in faults)
    return str(faults)
