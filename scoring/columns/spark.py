"""Scores a Spark DataFrame of intakes through `mapInArrow`; needs the extra `spark`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_schema

from scoring.catalogue import load_catalogue
from scoring.columns.arrow import ArrowRules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def score_dataframe(
    intakes: "DataFrame",
    rulebook: str = "nociplastic",
    *,
    explain: bool = False,
    ignore_unknown: bool = False,
    keep: Sequence[str] = (),
) -> "DataFrame":
    """Return one row of results for each intake. This package must be installed on every worker.

    Columns to `keep`, such as those of partitions, are returned behind the results, as texts.

    Raises UnknownRulebookError, and ValueError in a worker for an unknown column.
    """

    def build_rules() -> ArrowRules:
        return ArrowRules(
            load_catalogue().find_active(rulebook),
            explain=explain,
            ignore_unknown=ignore_unknown,
            keep=keep,
        )

    def score_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return build_rules().score_batches(batches)

    return intakes.mapInArrow(score_batches, from_arrow_schema(build_rules().schema))
