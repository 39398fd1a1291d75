"""Results of a batch in any format, streamed, by range; and what was wrong with its rows."""

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import StreamingResponse

from api.auth.request_context import Acts
from api.auth.route_guard import guarded
from api.batch_scoring.file_formats import Format
from api.batch_scoring.result_stream import MEDIA_TYPES, stream
from api.batches.file_transfer import SOON, format_of, format_wanted, results_file, sent
from api.dependencies import Acting, BatchId, Rulebooks
from api.http.error_responses import GUARDED, refusals
from api.problems import Problem
from api.store.batches import batches
from api.store.batches import chunks as batche_chunks
from api.store.batches.batches import SCORE, Kept
from api.store.keys.field_encryption import digest
from schemas.batch_job import BatchProblem
from scoring.catalogue import Catalogue

Suffix = Annotated[Literal["csv", "ndjson", "parquet"], Path(examples=["csv"])]
_FILE: dict[str, Any] = {
    "content": {
        MEDIA_TYPES["csv"]: {"schema": {"type": "string"}},
        MEDIA_TYPES["ndjson"]: {"schema": {"type": "string"}},
        MEDIA_TYPES["parquet"]: {"schema": {"type": "string", "format": "binary"}},
    }
}
_SENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The results"} | _FILE,
    206: {"description": "The range of them that was asked for"} | _FILE,
    **refusals(*GUARDED, 404, 406, 409, 416),
}
router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=guarded("batches"))


@router.get(
    "/{batch}/results",
    operation_id="read_batch_results",
    response_class=Response,
    responses=_SENT,
    summary="The results of a batch",
)
def read_batch_results(
    batch: BatchId, request: Request, acts: Acting, rulebooks: Rulebooks
) -> Response:
    """One row for each row that was sent, in order. `Accept` chooses CSV, NDJSON or Parquet.

    `Range` takes up an interrupted download. 409 until the batch is done.
    """
    form = format_wanted(request.headers.get("accept"))
    return _results(request, acts, rulebooks, batch, form)


@router.get(
    "/{batch}/results.{suffix}",
    operation_id="read_batch_results_as",
    response_class=Response,
    responses={each: _SENT[each] for each in _SENT if each != 406},
    summary="The results of a batch in this format",
)
def read_batch_results_as(
    batch: BatchId, suffix: Suffix, request: Request, acts: Acting, rulebooks: Rulebooks
) -> Response:
    """The same, in the format that the address ends with, whatever `Accept` says."""
    return _results(request, acts, rulebooks, batch, format_of(suffix))


@router.get(
    "/{batch}/problems",
    operation_id="read_batch_problems",
    response_class=Response,
    responses={
        200: {
            "description": "The problems",
            "content": {MEDIA_TYPES["ndjson"]: {"schema": {"type": "string"}}},
        },
        **refusals(*GUARDED, 404),
    },
    summary="What was wrong with which row",
)
def read_batch_problems(batch: BatchId, acts: Acting) -> Response:
    """One line of JSON a problem, of what is done so far: row, line, `row_id`, column, what was
    expected, and as `detail` where and what in one sentence; never what stood there.
    """
    with acts.transaction() as work:
        batches.found(work, batch, SCORE)
        work.audit("read", "batch_problems", batch)
    return StreamingResponse(_problems(acts, batch), media_type=MEDIA_TYPES["ndjson"])


def _results(
    request: Request, acts: Acts, rulebooks: Catalogue, batch: str, form: Format
) -> Response:
    with acts.transaction() as work:
        kept = batches.found(work, batch, SCORE)
        if batches.progress(work, kept).state != "done":
            raise Problem("conflict", "The batch is not done.", headers={"Retry-After": SOON})
        work.audit("read", "batch_results", batch, count=kept.rows)
    tag = digest(batch.encode(), form.encode(), version("nociscreen").encode())[:32]
    file = results_file(
        form, tag, lambda: stream(form, _made(acts, kept), lambda: _nothing(rulebooks, kept))
    )
    return sent(request, file)


def _made(acts: Acts, batch: Kept) -> Iterator[bytes]:
    """What came of each chunk, one at a time; it ends early where the batch is erased."""
    for number in range(batch.chunks):
        with acts.store.reading_on(acts.actor) as work:
            content = batche_chunks.made(work, batch.id, number)
        if content is None:
            raise RuntimeError("the batch was erased while it was sent")
        yield content


def _nothing(rulebooks: Catalogue, batch: Kept) -> Any:
    """The columns of a batch without a row."""
    import polars as pl

    from api.batch_scoring.chunk_scorer import scored
    from api.batch_scoring.chunking import rules_of

    instrument, _, number = batch.rulebook.partition("@")
    rules = rules_of(rulebooks.any_status(instrument, number))
    return scored(pl.DataFrame(), rules, explain=batch.options["explain"]).results.clear()


def _problems(acts: Acts, batch: str) -> Iterator[bytes]:
    first = 0
    while True:
        with acts.store.reading_on(acts.actor) as work:
            found = next(batche_chunks.notes(work, batch, first=first), None)
        if found is None:
            return
        row, note = found
        first = row.number + 1
        yield "".join(map(_in_one_line, note["problems"])).encode()


def _in_one_line(kept: dict[str, Any]) -> str:
    told = kept | {"detail": BatchProblem(**kept).told}
    return json.dumps(told, ensure_ascii=False) + "\n"
