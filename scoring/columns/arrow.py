"""Arrow in and out, for the engines where such data lives; needs the extra `arrow`.

from scoring.catalogue import catalogue
from scoring.columns.arrow import ArrowRules
rules = ArrowRules(catalogue().active("nociplastic"))
results = rules.scored(batch)
"""

from collections.abc import Iterable, Iterator
from typing import cast

import polars as pl
import pyarrow as pa

from scoring.columns.parsing import intakes_of
from scoring.columns.rules import compiled
from scoring.compiled_rulebook import LoadedRulebook


class ArrowRules:
    """One rulebook over record batches; `schema` is that of what comes out."""

    def __init__(self, loaded: LoadedRulebook, *, explain: bool = False) -> None:
        self._loaded = loaded
        self._explain = explain
        self.schema = self._told(pl.DataFrame()).schema

    def scored(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """One row of results a row, in order; columns that are no question are left out.

        Texts are read as cells of CSV, typed columns as JSON. A row with a fault has `problems` and
        no status.
        """
        names = {*self._loaded.questions, "row_id", "patient_reference"}
        kept = batch.select([name for name in batch.schema.names if name in names])
        frame = pl.from_arrow(pa.Table.from_batches([kept])) if kept.num_columns else None
        if frame is None:
            frame = pl.DataFrame({"row_id": [None] * batch.num_rows}, schema={"row_id": pl.String})
        table = self._told(cast("pl.DataFrame", frame)).cast(self.schema).combine_chunks()
        batches = table.to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=self.schema)

    def each(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The results of each batch as it comes: what `mapInArrow` of Spark asks for."""
        return map(self.scored, batches)

    def _told(self, frame: pl.DataFrame) -> pa.Table:
        read = intakes_of(frame, self._loaded)
        results = compiled(self._loaded).assessed(read.intakes.lazy(), explain=self._explain)
        plain = [
            pl.col(name).cast(pl.List(pl.String) if isinstance(kind, pl.List) else pl.String)
            for name, kind in results.collect_schema().items()
            if isinstance(kind, pl.List | pl.Enum)
        ]
        table = results.with_columns(plain).collect(engine="streaming").to_arrow()
        return cast("pa.Table", table.cast(_plain_schema(table.schema)))


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    """Texts and lists as every engine reads them."""
    return pa.schema([pa.field(each.name, _plain(each.type)) for each in schema])


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(pa.string())
    is_text = pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return pa.string() if is_text else kind
