"""What the sum meter of the transformer says about each meter behind it."""

from ml.balance.features import balance_features, names
from ml.balance.gate import quality, reasons, trusted

__all__ = ["balance_features", "names", "quality", "reasons", "trusted"]
