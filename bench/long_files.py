"""Files of hourly readings, a row each, as large as wanted: written in pieces, so that they never fill the memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

FIRST_HOUR = np.datetime64("2024-03-01T00:00", "s")
PIECE_READINGS = 1_000_000


def write(path: Path, meters: int, days: int, *, by_time: bool = False) -> Path:
    """Parquet or CSV, as the name ends; meter after meter, or hour after hour."""
    rng = np.random.default_rng(1)
    schema = pa.schema([("meter", pa.string()), ("timestamp", pa.timestamp("s")), ("kwh", pa.float32())])
    if path.suffix == ".parquet":
        with pq.ParquetWriter(path, schema) as writer:
            for piece in pieces(meters, days * 24, by_time, rng):
                writer.write_table(piece.cast(schema))
        return path
    schema = schema.set(1, pa.field("timestamp", pa.string()))
    with pa_csv.CSVWriter(path, schema, write_options=pa_csv.WriteOptions(quoting_style="none")) as writer:
        for piece in pieces(meters, days * 24, by_time, rng):
            stamps = piece["timestamp"].combine_chunks()
            texts = pa.DictionaryArray.from_arrays(stamps.indices, pc.strftime(stamps.dictionary, "%Y-%m-%d %H:%M"))
            writer.write_table(piece.set_column(1, "timestamp", texts).cast(schema))
    return path


def pieces(meters: int, hours: int, by_time: bool, rng: np.random.Generator) -> Iterator[pa.Table]:
    names = pa.array([f"M{meter:06}" for meter in range(meters)])
    stamps = pa.array(FIRST_HOUR + np.arange(hours) * np.timedelta64(1, "h"))
    outer, inner = (hours, meters) if by_time else (meters, hours)
    at_once = max(PIECE_READINGS // inner, 1)
    for start in range(0, outer, at_once):
        some = np.arange(start, min(start + at_once, outer), dtype=np.int32)
        slow, fast = np.repeat(some, inner), np.tile(np.arange(inner, dtype=np.int32), len(some))
        meter, hour = (fast, slow) if by_time else (slow, fast)
        kwh = rng.gamma(1.2, 0.4, len(slow)).astype(np.float32).round(3)
        yield pa.table(
            {
                "meter": pa.DictionaryArray.from_arrays(pa.array(meter), names),
                "timestamp": pa.DictionaryArray.from_arrays(pa.array(hour), stamps),
                "kwh": kwh,
            }
        )
