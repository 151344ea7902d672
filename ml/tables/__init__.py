"""Files and frames of any common shape to windows of meters: `windows.read_readings` is the way in."""

from ml.tables.notes import Notes
from ml.tables.sources import InputError
from ml.tables.windows import Readings, Visit, read_outcomes, read_readings

__all__ = ["InputError", "Notes", "Readings", "Visit", "read_outcomes", "read_readings"]
