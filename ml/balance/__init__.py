"""What the sum meter of the transformer says about each meter behind it."""

from ml.balance.features import balance_features, names
from ml.balance.gate import quality, reasons, trust, trusted
from ml.balance.transformer import TransformerBalance, meters_behind, transformer_balance

__all__ = [
    "TransformerBalance",
    "balance_features",
    "meters_behind",
    "names",
    "quality",
    "reasons",
    "transformer_balance",
    "trust",
    "trusted",
]
