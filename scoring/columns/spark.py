"""Scores a Spark DataFrame of intakes through `mapInArrow`; needs the extra `spark`."""

from collections.abc import Iterable, Iterator
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
) -> "DataFrame":
    """Return one row of results for each intake. This package must be installed on every worker.

    Raises UnknownRulebookError, and ValueError in a worker for an unknown column.
    """
    options = {"explain": explain, "ignore_unknown": ignore_unknown}

    def score_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rules = ArrowRules(load_catalogue().find_active(rulebook), **options)
        return rules.score_batches(batches)

    schema = ArrowRules(load_catalogue().find_active(rulebook), **options).schema
    return intakes.mapInArrow(score_batches, from_arrow_schema(schema))
