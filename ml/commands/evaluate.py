"""Measure the detectors by the frozen protocol and on the synthetic city, and write the tables."""

import argparse

from ml.commands.common import add_output_options
from ml.tables import InputError


def add_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--quick", action="store_true", help="a small part of it in under three minutes")
    options.add_argument("--protocol", metavar="DIR", help="folder of the grading protocol")
    options.add_argument("--data", metavar="DIR", help="folder of real load curves")
    options.add_argument("--out", default="evaluation", metavar="DIR", help="folder to write into (evaluation)")
    add_output_options(options)


def run(options: argparse.Namespace) -> None:
    raise InputError("not there yet")
