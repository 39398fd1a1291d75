"""Spark: a DataFrame of intakes in, one of results out, by `mapInArrow`; the extra `spark`."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_schema

from scoring.catalogue import catalogue
from scoring.columns.arrow import ArrowRules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def scored(
    intakes: "DataFrame", rulebook: str = "nociplastic", *, explain: bool = False
) -> "DataFrame":
    """The results, one row a row. Each worker reads the rulebook: it must have this package.

    Raises UnknownRulebookError.
    """

    def results(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return ArrowRules(catalogue().active(rulebook), explain=explain).each(batches)

    schema = ArrowRules(catalogue().active(rulebook), explain=explain).schema
    return intakes.mapInArrow(results, from_arrow_schema(schema))
