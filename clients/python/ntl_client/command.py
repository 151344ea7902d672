"""`ntl-upload FILE...`: sends files, waits for their import and says what came of it."""

import argparse
import os
import sys

from ntl_client.client import Client
from ntl_client.errors import NtlError


def main(arguments: "list[str] | None" = None) -> int:
    parser = argparse.ArgumentParser(prog="ntl-upload", description="Send files of readings to ntl-web.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--address", default=os.environ.get("NTL_ADDRESS", "http://localhost:8000"))
    parser.add_argument(
        "--key", default=os.environ.get("NTL_KEY"), help="key of an API client; better in the environment as NTL_KEY"
    )
    for name in ("sender", "timezone", "unit", "stamps", "measures", "format", "multiplier"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS if name == "multiplier" else None)
    parser.add_argument("--date-order", choices=("day_first", "month_first"), help="of dates such as 3/4/2026")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the import")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    given = parser.parse_args(arguments)
    if not given.key:
        parser.error("give a key: NTL_KEY in the environment, or --key")
    names = ("sender", "timezone", "unit", "stamps", "measures", "date_order", "format", "multiplier")
    statement = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    faults = 0
    with Client(given.address, given.key) as client:
        for file in given.files:
            try:
                upload = client.upload(file, wait=not given.no_wait, progress=not given.quiet, **statement)
            except (NtlError, OSError) as error:
                print(f"{file}: {error}", file=sys.stderr)
                faults += 1
            else:
                print(f"{file}: {said(upload)}")
    return 1 if faults else 0


def said(upload) -> str:
    found = f"{upload.status}, {upload.readings:,} readings of {upload.meters:,} meters"
    if upload.rejected:
        found += f", {upload.rejected:,} lines rejected ({upload.rejected_url})"
    if upload.held_meters:
        found += f", {len(upload.held_meters):,} unknown meters wait"
    if upload.already:
        found += ", known already"
    return found + (f"\n{upload.note}" if upload.note else "")


if __name__ == "__main__":
    sys.exit(main())
