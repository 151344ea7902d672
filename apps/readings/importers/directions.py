"""Energy given to the grid in a column of its own, beside that of energy taken: import_kwh and export_kwh."""

import re
from functools import lru_cache

import numpy as np
import pyarrow as pa
from django.utils.translation import gettext as _

from apps.readings.importers import headings, texts
from apps.readings.importers.base import Block, Reading
from apps.readings.importers.tables import Batch, Table, has_decimal_comma, words_of
from apps.readings.models import Channel

UNIT_BEHIND = re.compile(r"(?:[\s_]*[(\[]|[\s_]+)(?:MWh|kWh|Wh|kW)[)\]]?$", re.IGNORECASE)
GENERATED = {"generation", "uretim"}  # before what is used on the spot, where another column says what is given
EXPORTED = (texts.EXPORT - {"2", "b", "out", "-1", "a-", "-a"}) | {
    "exported", "exports", "feedin", "surplus", "excedente", "excedentes", "cedida", "ceduta", "retour", "oddana",
}  # fmt: skip
NO_ENERGY = {
    "date", "time", "timestamp", "id", "type", "status", "flag", "count", "limit", "capacity", "price", "cost", "rate",
    "tariff", "eur", "gbp", "usd", "kvarh", "kva", "kvar", "reactive", "blind", "peak", "offpeak", "ht", "nt",
    "datum", "preis", "kosten", "tarif",
}  # fmt: skip
# Single letters and digits say more often which of several meters it is: House 1, Block B.
IN_NAMES = re.compile(r"[^\W\d]{2,}|[eb]\d|a[+-]|[+-]a|(?:\d+-\d+:)?\d+\.\d+\.\d+\S*", re.IGNORECASE)
BEHIND = re.compile(r"(?P<meter>.+?)[\s_/|.-]+\(?(?P<word>\S+?)\)?")
BEFORE = re.compile(r"(?P<word>[^\s_/|]+)[\s_/|]+(?P<meter>.+)")


def without_unit(name: str) -> str:
    """`4711 (kWh)` is 4711. A very long name is none, and would take long."""
    return UNIT_BEHIND.sub("", name) if len(name) <= headings.NAME_LOOKED_AT else name


@lru_cache(maxsize=8)
def of_export(table: Table) -> frozenset[int]:
    """Columns whose names speak of energy that is given to the grid. A file is asked for them several times."""
    pairs = zip(table.columns, words_of(table), strict=True)
    return frozenset(place for place, (name, word) in enumerate(pairs) if _is_of_export(name, word))


def _is_of_export(name: str, word: str) -> bool:
    if found := texts.OBIS.fullmatch(without_unit(name).strip()):
        return int(found[1]) == Channel.EXPORT
    parts = word.split("_")
    return bool(EXPORTED & set(parts)) or "feed_in" in word or parts[0].endswith("einspeisung")


def export_column(table: Table, value: int | None, but: set[int]) -> int | None:
    """The one column of energy given, perhaps beside that of energy taken; nothing where several could be meant."""
    found = [
        place
        for place in sorted(of_export(table))
        if place not in but and _is_energy(table, place) and (value is None or factor(table, value, place))
    ]
    if len(found) > 1:
        found = [place for place in found if not GENERATED & set(words_of(table)[place].split("_"))]
    return found[0] if len(found) == 1 else None


def _is_energy(table: Table, place: int) -> bool:
    if NO_ENERGY & set(words_of(table)[place].split("_")):
        return False
    cells = texts.as_texts(table.sample_column(place)).to_pylist()
    sent = pa.array([cell for cell in cells if (cell or "") not in texts.MISSING], pa.string())
    not_numbers = texts.numbers_of(sent, has_decimal_comma(table, [place]))[1]
    return len(sent) > 0 and bool(not_numbers.mean() < 0.5)


def factor(table: Table, value: int, export: int) -> float:
    """From what the one column holds to the unit of the other, as far as their names say them; 0 for power beside
    energy."""
    units = [headings.unit_of(table.columns[place]) for place in (export, value)]
    if None in units or units[0] == units[1]:
        return 1.0
    return texts.KWH[units[0]] / texts.KWH[units[1]] if set(units) <= set(texts.KWH) else 0.0


def with_export(block: Block, rows: np.ndarray, given: np.ndarray) -> Block:
    """A block with energy given beside that taken; `rows` are places in the block, and `given` their values."""
    taken = np.full(len(block.values), Channel.IMPORT, dtype=np.int8) if block.channels is None else block.channels
    channels = np.concatenate([taken, np.full(len(rows), Channel.EXPORT, dtype=np.int8)])
    meters, minutes, lines = (
        np.concatenate([column, column[rows]]) for column in (block.meters, block.minutes, block.lines)
    )
    quality = None if block.quality is None else np.concatenate([block.quality, block.quality[rows]])
    return Block(meters, minutes, np.concatenate([block.values, given]), lines, channels, quality)


def given_beside(
    block: Block, batch: Batch, good: np.ndarray, column: int, comma: bool, factor_: float, reading: Reading
) -> Block:
    """The block of the good rows of a batch, with what the column of energy given says of them."""
    given, not_numbers = texts.numbers_of(batch.columns[column], comma)
    wrong = np.flatnonzero(not_numbers & good)
    cells = batch.columns[column]
    reading.rejects.add(batch.lines[wrong], _("not a number"), lambda i: texts.shown(cells[wrong[i]]))
    given = given[good] * factor_
    rows = np.flatnonzero(~np.isnan(given))
    return with_export(block, rows, given[rows]) if len(rows) else block


def of_names(names: list[str]) -> tuple[list[str], np.ndarray]:
    """Names of meters, and (N,) int8 models.Channel, of columns that are called by a meter and perhaps a direction: of
    two that differ in that alone, one is given; or all of them are."""
    found = [_parted(name) if len(name) <= headings.NAME_LOOKED_AT else (name, 0) for name in names]
    taken = {meter for meter, channel in found if channel == Channel.IMPORT} | set(names)
    only_given = all(channel == Channel.EXPORT for _meter, channel in found)
    given = {meter for meter, channel in found if channel == Channel.EXPORT and (only_given or meter in taken)}
    paired = [meter in given for meter, _channel in found]
    meters = [found[place][0] if paired[place] else name for place, name in enumerate(names)]
    gives = [paired[place] and found[place][1] == Channel.EXPORT for place in range(len(names))]
    return meters, np.where(gives, Channel.EXPORT, Channel.IMPORT).astype(np.int8)


def _parted(name: str) -> tuple[str, int]:
    """Meter and channel, 0 where the name says none."""
    for shape in (BEHIND, BEFORE):
        match = shape.fullmatch(name)
        if match and IN_NAMES.fullmatch(match["word"]) and (channel := texts.channel_of(match["word"])):
            return match["meter"], channel
    return name, 0
