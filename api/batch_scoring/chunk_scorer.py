"""One chunk of a batch: rows as they were read in, rows of results out, with what was wrong."""

from typing import NamedTuple

import polars as pl

from schemas.batch import RowProblem
from scoring.columns import ColumnRules
from scoring.columns.parsing import Lines, intakes_of


class ScoredChunk(NamedTuple):
    """One row of results a row, in order; every fault by row of the chunk, from 0."""

    results: pl.DataFrame
    faults: pl.DataFrame

    def problems(
        self, *, rows_before: int = 0, file: str | None = None, most: int | None = None
    ) -> tuple[RowProblem, ...]:
        """The faults as they are told, rows counted from 1 over the whole batch."""
        told = self.faults if most is None else self.faults.head(most)
        return tuple(
            RowProblem(**{**fault, "row": rows_before + fault["row"] + 1, "file": file})
            for fault in told.iter_rows(named=True)
        )


def scored(
    chunk: pl.DataFrame,
    rules: ColumnRules,
    *,
    explain: bool = False,
    faults: pl.DataFrame | None = None,
    lines: Lines | None = None,
) -> ScoredChunk:
    """The results for a chunk whose columns are question ids, `row_id`, `patient_reference`.

    Texts are read as cells of CSV, typed columns as JSON. `faults` (see `scoring.columns.parsing`)
    were found before; their rows have no status. `lines` tells where rows begin in their file.
    Other columns are left out.
    """
    read = intakes_of(chunk, rules.loaded, faults, lines)
    results = rules.assessed(read.intakes.lazy(), explain=explain).collect(engine="streaming")
    return ScoredChunk(results, read.faults)
