"""Answers as they stand in files: texts or typed columns in; typed answers and problems out."""

from typing import NamedTuple

import polars as pl

from scoring.loaded import LoadedRulebook


class Read(NamedTuple):
    """Typed answers with a list column `problems`, and each fault by row (from 0) and column."""

    intakes: pl.DataFrame
    faults: pl.DataFrame


def intakes_of(frame: pl.DataFrame, loaded: LoadedRulebook) -> Read:
    """Every row with its answers checked as the answer model checks them; no row is dropped.

    `faults` has the columns row, column, code, expected.
    """
    raise NotImplementedError
