#!/usr/bin/env python3
"""Runs a command while PostgreSQL and Redis are up: scripts/with_services.py COMMAND [ARGUMENT...]

Starts them when they are not running, and stops them afterwards, however the command ends, unless somebody started them
by hand (scripts/services.sh start) or another such command still uses them.
scripts/with_services.py --end-all ends all such commands of this clone (make stop).
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

SERVICES = str(Path(__file__).resolve().parent / "services.sh")
SECONDS_TO_END = 30


def state_folder() -> Path:
    return Path(subprocess.run([SERVICES, "env"], check=True, capture_output=True, text=True).stdout.strip()).parent


class Users:
    """The commands that use the services now: one file each, named by process number, locked while it lives."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "in-use"
        self.mine: IO[str] | None = None

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """No command may come while the last one, as it believes, stops the services."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield

    def enter(self) -> None:
        self.mine = (self.folder / str(os.getpid())).open("w")
        fcntl.flock(self.mine, fcntl.LOCK_EX)

    def leave(self) -> None:
        if self.mine is not None:
            Path(self.mine.name).unlink(missing_ok=True)
            self.mine.close()

    def others(self) -> list[int]:
        """Process numbers; a lock that cannot be taken proves that its holder lives, a number alone would not."""
        alive = []
        for path in self.folder.glob("[0-9]*"):
            if path.name == str(os.getpid()):
                continue
            with path.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    alive.append(int(path.name))
                else:
                    path.unlink(missing_ok=True)
        return alive


def run(command: list[str]) -> int:
    """The command's exit code. Ctrl-C reaches the command by itself; other requests to end are handed on to it."""
    # A closed terminal must not kill the command before it could end its own children.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    child = subprocess.Popen(command)
    signal.signal(signal.SIGINT, lambda *_: None)
    for request in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(request, lambda *_: child.terminate())
    code = child.wait()
    return 128 - code if code < 0 else code


def tell(text: str) -> None:
    """To the screen, if there still is one."""
    with suppress(OSError):
        os.write(1, text.encode())


def stop_unless_wanted(state: Path, users: Users) -> None:
    if (state / "started-by-hand").exists():
        tell("PostgreSQL and Redis were started by hand and stay up: make stop ends them\n")
    elif not users.others():
        # Not on the screen directly: a closed terminal would end the script before its work is done.
        stop = subprocess.run([SERVICES, "stop"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        tell(stop.stdout)


def main(command: list[str]) -> int:
    state = state_folder()
    users = Users(state)
    with users.one_at_a_time():
        started = subprocess.run([SERVICES, "start", "--while-used"]).returncode
        if started != 0:
            stop_unless_wanted(state, users)  # one of the two may have started
            return started
        users.enter()
    try:
        return run(command)
    finally:
        for request in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(request, signal.SIG_IGN)
        with users.one_at_a_time():
            users.leave()
            stop_unless_wanted(state, users)


def end_all() -> int:
    users = Users(state_folder())
    for process in users.others():
        print(f"ending process {process}")
        os.kill(process, signal.SIGTERM)
    for _ in range(SECONDS_TO_END * 10):
        if not users.others():
            return 0
        time.sleep(0.1)
    print(f"error: these do not end: {users.others()}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    sys.exit(end_all() if sys.argv[1:] == ["--end-all"] else main(sys.argv[1:]))
