"""Scores many intakes at once: a rulebook compiled to Polars expressions over columns.

This is the second interpreter of the conditions in `schemas.rulebooks.conditions`. The first,
`scoring.engine`, assesses one intake. Both agree on every output column, to the hundredth.
"""

from scoring.columns.rules import ColumnRules, compile_column_rules

__all__ = ["ColumnRules", "compile_column_rules"]
