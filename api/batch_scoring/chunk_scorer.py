"""Scores one chunk of a batch: batch rows in, rows of results and faults out."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import polars as pl

from schemas.batches.batch import RowProblem
from scoring.columns import ColumnRules
from scoring.columns.reading.parsing import LineLookup, parse_intakes


class ScoredChunk(NamedTuple):
    """One row of results per input row, in order, and every fault by row of the chunk, from 0.

    `sent_rows` are the rows as they were read, `intakes` their typed answers.
    """

    results: pl.DataFrame
    faults: pl.DataFrame
    intakes: pl.DataFrame
    sent_rows: pl.DataFrame

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


def score_frame(  # noqa: PLR0913 - what a chunk is, and what is known of it
    chunk: pl.DataFrame,
    rules: ColumnRules,
    *,
    explain: bool = False,
    keep: Sequence[str] = (),
    faults: pl.DataFrame | None = None,
    lines: LineLookup | None = None,
) -> ScoredChunk:
    """Score a chunk whose columns are question ids, `row_id` and `patient_reference`.

    Text columns are parsed as CSV cells, typed columns as JSON values. The columns to `keep` are
    returned as texts behind the results; other columns are ignored.
    `faults` (see `scoring.columns.reading.parsing`) are those of the reader; their rows get no
    status. `lines` maps rows to the lines of their file.
    """
    batch = parse_intakes(chunk, rules.loaded, faults, lines)
    results = rules.assess_intakes(batch.intakes.lazy(), explain=explain).collect(
        engine="streaming"
    )
    kept_columns = [
        chunk[name].cast(pl.String)
        if name in chunk.columns
        else pl.Series(name, [None] * results.height, pl.String)
        for name in keep
    ]
    return ScoredChunk(results.with_columns(kept_columns), batch.faults, batch.intakes, chunk)


def build_empty_results(rules: ColumnRules, *, explain: bool, keep: Sequence[str]) -> pl.DataFrame:
    """Return the result columns without rows, the columns to `keep` behind them."""
    kept_columns = [pl.Series(name, [], pl.String) for name in keep]
    return _score_no_rows(rules, explain=explain).with_columns(kept_columns)


@lru_cache(maxsize=16)
def _score_no_rows(rules: ColumnRules, *, explain: bool) -> pl.DataFrame:
    """Return the result columns of the rules: planning them takes as long as scoring a chunk."""
    return score_frame(pl.DataFrame(), rules, explain=explain).results.clear()
