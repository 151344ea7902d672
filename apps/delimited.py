"""Delimited text: which sign parts the columns, and which line names them."""

from collections import Counter
from collections.abc import Callable

DELIMITERS = ",;\t|"
SAMPLE_LINES = 50
MOST_ABOVE = 30
NAMES_NEEDED = 2


def delimiter_of(header: str, body: list[str]) -> str:
    """The one that parts the header into most columns and the lines below into as many."""
    return max(DELIMITERS, key=lambda delimiter: agreement(delimiter, header, body))


def agreement(delimiter: str, header: str, body: list[str]) -> tuple[int, int]:
    """How many lines below the header have as many columns as it, and how many these are."""
    columns = header.count(delimiter)
    return (Counter(line.count(delimiter) for line in body)[columns] if columns else 0, columns)


def lines_above_names(lines: list[str], is_known: Callable[[str], bool]) -> int:
    """How many lines with a report's title, customer or date stand above the names of columns: where most lines have
    other columns than the first one, and a later one has names that are known."""
    for place, line in enumerate(lines[:MOST_ABOVE]):
        body = [below for below in lines[place + 1 : place + 1 + SAMPLE_LINES] if below.strip()]
        delimiter = delimiter_of(line, body)
        alike, _columns = agreement(delimiter, line, body)
        if place == 0 and 2 * alike >= len(body):
            return 0
        if alike and sum(is_known(cell) for cell in line.split(delimiter)) >= NAMES_NEEDED:
            return place
    return 0
