"""`python -m ml train | score | evaluate | generate | explain`: detection without the web site."""

import argparse
import sys

from ml.commands import evaluate, explain, generate, score, train
from ml.tables import InputError

COMMANDS = (train, score, explain, generate, evaluate)
FAILED, INTERRUPTED = 1, 130


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 the input or the model cannot be used, 2 the command line is wrong, 130 stopped."""
    for stream in (sys.stdout, sys.stderr):
        # A meter may be called Zürich on a terminal that knows no ü.
        stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(f"{error.filename or 'a file'}: {error.strerror or error}")
    except MemoryError:
        return _failed("not enough memory. Give fewer meters at a time, or fewer days with --days.")
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ml", description="Finds non-technical losses in meter readings. docs/ml.md tells the formats."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        line = command.__doc__.splitlines()[0]
        options = commands.add_parser(name, help=line, description=command.__doc__)
        command.add_options(options)
        options.set_defaults(run=command.run)
    return parser


def _failed(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
