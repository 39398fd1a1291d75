"""One chunk of a batch: rows as they were read in, rows of results out, with what was wrong."""

from typing import NamedTuple

import polars as pl

from schemas.batch import RowProblem
from scoring.columns import ColumnRules


class ScoredChunk(NamedTuple):
    """One row of results a row, in order, and every fault of the chunk (rows from 1)."""

    results: pl.DataFrame
    problems: tuple[RowProblem, ...]


def scored(chunk: pl.DataFrame, rules: ColumnRules, *, explain: bool = False) -> ScoredChunk:
    """The results for a chunk whose columns are question ids, `row_id`, `patient_reference`."""
    raise NotImplementedError
