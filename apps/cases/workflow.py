"""Where a case may go from where it is. Closing and reopening are actions of their own: they carry what was found."""

from apps.cases.models import Case

Status = Case.Status

ALLOWED_MOVES = {
    Status.NEW: {Status.ASSIGNED, Status.VISIT, Status.CLOSED},
    Status.ASSIGNED: {Status.NEW, Status.VISIT, Status.CLOSED},
    Status.VISIT: {Status.ASSIGNED, Status.NEW, Status.CLOSED},
    Status.CLOSED: {Status.NEW, Status.ASSIGNED, Status.VISIT},
}


class MoveNotAllowed(Exception):
    def __init__(self, case: Case, to: str):
        super().__init__(f"Case {case.pk} cannot move from {case.status} to {to}.")


def check(case: Case, to: str) -> None:
    if to not in ALLOWED_MOVES[Status(case.status)]:
        raise MoveNotAllowed(case, to)
