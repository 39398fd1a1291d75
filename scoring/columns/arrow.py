"""Scores Arrow record batches, for use in other query engines; needs the extra `arrow`.

from scoring.catalogue import load_catalogue
from scoring.columns.arrow import ArrowRules
rules = ArrowRules(load_catalogue().find_active("nociplastic"))
results = rules.score_batch(batch)
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import polars as pl
import pyarrow as pa

from scoring.columns.reading.parsing import parse_intakes
from scoring.columns.reading.question_names import QuestionNames
from scoring.columns.rules import compile_column_rules
from scoring.compiled_rulebook import LoadedRulebook


class ArrowRules:
    """One rulebook over record batches; `schema` is the schema of the results.

    Columns to `keep` are not questions; they are returned after the results, as texts.
    """

    def __init__(
        self,
        loaded: LoadedRulebook,
        *,
        explain: bool = False,
        ignore_unknown: bool = False,
        keep: Sequence[str] = (),
    ) -> None:
        self._loaded = loaded
        self._explain = explain
        self._ignore_unknown = ignore_unknown
        self._names = QuestionNames(loaded)
        self._keep = tuple(keep)
        self._results_schema = self._score_frame(pl.DataFrame()).schema
        self.schema = self._results_schema
        for name in self._keep:
            if name in self.schema.names:
                raise ValueError(f"the results have a column {name!r}; rename yours to keep it")
            self.schema = self.schema.append(pa.field(name, pa.string()))

    def score_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return one row of results for each row, in order.

        Text columns are parsed like CSV cells, typed columns like JSON. A row with a fault has
        `problems` and no status. Raises ValueError for an unknown column, unless `ignore_unknown`,
        and always for one whose name is nearly that of a question.
        """
        answers = [name for name in batch.schema.names if name not in self._keep]
        self._names.refuse_unknown(answers, ignore_unknown=self._ignore_unknown)
        names = self._names.known
        known_columns = batch.select([name for name in answers if name in names])
        frame = (
            pl.from_arrow(pa.Table.from_batches([known_columns]))
            if known_columns.num_columns
            else None
        )
        if frame is None:
            frame = pl.DataFrame({"row_id": [None] * batch.num_rows}, schema={"row_id": pl.String})
        table = self._score_frame(cast("pl.DataFrame", frame)).cast(self._results_schema)
        for name in self._keep:
            table = table.append_column(name, batch.column(name).cast(pa.string()))
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=self.schema)

    def score_batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the results of each batch, as Spark's `mapInArrow` expects."""
        return map(self.score_batch, batches)

    def _score_frame(self, frame: pl.DataFrame) -> pa.Table:
        intakes = parse_intakes(frame, self._loaded)
        results = compile_column_rules(self._loaded).assess_intakes(
            intakes.intakes.lazy(), explain=self._explain
        )
        plain_columns = [
            pl.col(name).cast(pl.List(pl.String) if isinstance(kind, pl.List) else pl.String)
            for name, kind in results.collect_schema().items()
            if isinstance(kind, pl.List | pl.Enum)
        ]
        table = results.with_columns(plain_columns).collect(engine="streaming").to_arrow()
        return cast("pa.Table", table.cast(_plain_schema(table.schema)))


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema with texts and lists in the types every engine supports."""
    return pa.schema([pa.field(field.name, _plain_type(field.type)) for field in schema])


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(pa.string())
    is_text = pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return pa.string() if is_text else kind
