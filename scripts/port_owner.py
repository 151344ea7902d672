"""Says who listens on a TCP port of this machine: scripts/port_owner.py 8000

Prints nothing and exits 0 when the port is free. Otherwise prints the owner as far as this user may see it, exits 1.
"""

import errno
import os
import pwd
import socket
import sys
from pathlib import Path

LISTEN = "0A"  # the state's code in /proc/net/tcp


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def listener(port: int) -> tuple[str, int] | None:
    """The socket's inode and its user's id, from the kernel's own tables (ss may not be installed)."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                return fields[9], int(fields[7])
    return None


def process_of(inode: str) -> str | None:
    """Only root sees into the processes of others."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(handle) == f"socket:[{inode}]" for handle in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"process {process.name} ({command[:120]})"
        except OSError:
            continue
    return None


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def describe_owner(port: int) -> str:
    found = listener(port)
    if found is None:
        return "a process that cannot be seen from here"
    inode, uid = found
    return process_of(inode) or f"a process of user {user_name(uid)}"


if __name__ == "__main__":
    number = int(sys.argv[1])
    if not is_free(number):
        print(describe_owner(number))
        sys.exit(1)
