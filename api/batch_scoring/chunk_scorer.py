"""Scores one chunk of a batch: batch rows in, rows of results and faults out."""

from typing import NamedTuple

import polars as pl

from schemas.batch import RowProblem
from scoring.columns import ColumnRules
from scoring.columns.parsing import LineLookup, parse_intakes


class ScoredChunk(NamedTuple):
    """One row of results per input row, in order, and every fault by row of the chunk, from 0."""

    results: pl.DataFrame
    faults: pl.DataFrame

    def list_problems(
        self, *, rows_before: int = 0, file: str | None = None, limit: int | None = None
    ) -> tuple[RowProblem, ...]:
        """Return the first `limit` faults, with rows counted from 1 over the whole batch."""
        faults = self.faults if limit is None else self.faults.head(limit)
        return tuple(
            RowProblem(**{**fault, "row": rows_before + fault["row"] + 1, "file": file})
            for fault in faults.iter_rows(named=True)
        )

    def count_values(self, column: str) -> dict[str, int]:
        """Count the rows by the value of a result column; nulls are not counted."""
        if column not in self.results.columns:
            return {}
        counts = self.results[column].drop_nulls().cast(pl.String).value_counts(sort=True)
        return dict(counts.iter_rows())


def score_frame(
    chunk: pl.DataFrame,
    rules: ColumnRules,
    *,
    explain: bool = False,
    faults: pl.DataFrame | None = None,
    lines: LineLookup | None = None,
) -> ScoredChunk:
    """Score a chunk whose columns are question ids, `row_id` and `patient_reference`.

    Text columns are batch as CSV cells, typed columns as JSON values; other columns are ignored.
    `faults` (see `scoring.columns.parsing`) are those of the reader; their rows get no status.
    `lines` maps rows to the lines of their file.
    """
    batch = parse_intakes(chunk, rules.loaded, faults, lines)
    results = rules.assess_intakes(batch.intakes.lazy(), explain=explain).collect(
        engine="streaming"
    )
    return ScoredChunk(results, batch.faults)
