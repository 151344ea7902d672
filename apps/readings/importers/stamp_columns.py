"""A column of stamps, batch after batch, without looking at each single one where they are all alike."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.readings.importers import stamping, texts
from apps.readings.importers.base import Reading

A_MINUTE = {"s": 60, "ms": 60_000, "us": 60_000_000, "ns": 60_000_000_000}  # in a timestamp's units
MOST_KNOWN = 100_000  # texts that are remembered


class StampColumn:
    """A file by meter names the same year of stamps in each batch: what was understood once is only looked up."""

    def __init__(self, month_first: bool):
        self.month_first = month_first
        self.known = pa.array([], pa.string())
        self.stamps = self.each(self.known)

    def each(self, column: pa.Array) -> texts.Stamps:
        return texts.stamps_of(column, self.month_first)

    def minutes(self, column: pa.Array, lines: np.ndarray, reading: Reading) -> np.ndarray | None:
        """(N,) as Block.minutes where all can be used and are of one kind; None where they need a closer look."""
        if column.null_count or not len(column):
            return None
        if pa.types.is_timestamp(column.type):
            counts = column.view(pa.int64()).to_numpy()
            minutes = (counts // A_MINUTE[column.type.unit]).astype(np.int32)
            if (minutes * np.int64(A_MINUTE[column.type.unit]) != counts).any():
                return None  # seconds, or a moment far from any calendar
            timed, zoned = True, column.type.tz is not None
        elif pa.types.is_dictionary(column.type) and pa.types.is_string(column.type.value_type):
            stamps = self.looked_up(column.dictionary)
            timed, zoned = bool(stamps.timed[0]), bool(stamps.zoned[0])
            if not (stamps.valid & stamps.whole & (stamps.timed == timed) & (stamps.zoned == zoned)).all():
                return None
            minutes = stamps.minutes[column.indices.to_numpy()]
        else:
            return None
        reading.dates_only &= not timed
        stamping.note_zone(reading, zoned=zoned, line=int(lines[0]))
        return minutes

    def looked_up(self, distinct: pa.Array) -> texts.Stamps:
        places = pc.index_in(distinct, self.known)
        if places.null_count:
            if len(self.known) > MOST_KNOWN:
                return self.each(distinct)
            new = distinct.filter(pc.is_null(places))
            self.known = pa.concat_arrays([self.known, new])
            pairs = zip(vars(self.stamps).values(), vars(self.each(new)).values(), strict=True)
            self.stamps = texts.Stamps(*map(np.concatenate, pairs))
            places = pc.index_in(distinct, self.known)
        return self.stamps.take(places.to_numpy())
