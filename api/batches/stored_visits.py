"""Reads the visits of people from the chunks of a batch that is done."""

import io
from collections.abc import Iterator
from functools import partial

import polars as pl

from api.auth.request_context import RequestContext
from api.batch_scoring.chunk_scorer import ScoredChunk
from api.batch_scoring.chunking import unpack_chunk
from api.batch_scoring.cohort.visits import (
    Visits,
    collect_visits,
    encode_visits,
    find_change_rule,
)
from api.store.batches import chunks as batch_chunks
from api.store.batches.batches import StoredBatch
from scoring.columns.reading.parsing import parse_intakes
from scoring.compiled_rulebook import LoadedRulebook


def read_visits(context: RequestContext, batch: StoredBatch, loaded: LoadedRulebook) -> Visits:
    """Return the visits of all people whom the batch names."""
    parts = [encode_visits(chunk, loaded) for chunk in _read_chunks(context, batch, loaded)]
    return collect_visits([partial(bytes, part) for part in parts])


def _read_chunks(
    context: RequestContext, batch: StoredBatch, loaded: LoadedRulebook
) -> Iterator[ScoredChunk]:
    """Yield the chunks that name people; of their answers only those that are followed."""
    rule = find_change_rule(loaded)
    questions = rule.questions if rule else ()
    for number in range(batch.chunks):
        with context.store.continue_read(context.actor) as work:
            content = batch_chunks.read_chunk_content(work, batch.id, number)
            results = batch_chunks.read_chunk_results(work, batch.id, number)
        if content is None or results is None or not content.references:
            continue
        rows = unpack_chunk(content).frame
        answers = rows.select([name for name in questions if name in rows.columns])
        intakes, faults = parse_intakes(answers, loaded)
        yield ScoredChunk(pl.read_ipc(io.BytesIO(results)), faults, intakes, rows)
