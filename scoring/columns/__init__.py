"""The same rules over columns: a rulebook compiled once to Polars expressions.

This is the second interpreter of the words in `schemas.conditions`. The first, `scoring.engine`,
assesses one intake; on every output column both say the same, to the hundredth.
"""

from scoring.columns.rules import ColumnRules, compiled

__all__ = ["ColumnRules", "compiled"]
