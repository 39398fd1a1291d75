"""Routes that stream the results of a batch, by range, and the problems of its rows."""

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Path, Request, Response
from starlette.responses import StreamingResponse

from api.auth.request_context import RequestContext
from api.auth.route_guard import require_scope
from api.batch_scoring.chunk_scorer import build_empty_results
from api.batch_scoring.chunking import compile_rules
from api.batch_scoring.cohort.cohort_counts import build_cohort
from api.batch_scoring.cohort.cohort_page import render_cohort_page
from api.batch_scoring.cohort.cohort_texts import DEFAULT_LANGUAGE
from api.batch_scoring.file_formats import BatchFormat
from api.batch_scoring.output.result_stream import MEDIA_TYPES, stream_results
from api.batches.file_transfer import (
    RETRY_AFTER_SECONDS,
    negotiate_format,
    read_result_chunks,
)
from api.batches.stored_visits import read_visits
from api.dependencies import BatchId, CatalogueDep, RequestContextDep
from api.documents.request import ChosenLocale
from api.http.bodies.byte_ranges import FileDownload, build_file_response
from api.http.content_negotiation import negotiate_media_type
from api.http.errors.error_responses import GUARDED_ERRORS, error_responses
from api.jobs.score_chunk import find_rulebook
from api.problems import Problem
from api.store.batches import batches
from api.store.batches import chunks as batch_chunks
from api.store.batches.batches import SCORE, StoredBatch
from api.store.keys.field_encryption import hash_parts
from api.store.transaction import Transaction
from schemas.batches.batch_job import BatchProblem
from schemas.batches.cohort import Cohort
from scoring.catalogue import Catalogue

FormatSuffix = Annotated[BatchFormat, Path(examples=["csv"])]
_FILE: dict[str, Any] = {
    "content": {
        MEDIA_TYPES["csv"]: {"schema": {"type": "string"}},
        MEDIA_TYPES["ndjson"]: {"schema": {"type": "string"}},
        MEDIA_TYPES["parquet"]: {"schema": {"type": "string", "format": "binary"}},
    }
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The results"} | _FILE,
    206: {"description": "The requested range of the results"} | _FILE,
    **error_responses(*GUARDED_ERRORS, 404, 406, 409, 416),
}
router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=require_scope("batches"))


@router.get(
    "/{batch}/results",
    operation_id="read_batch_results",
    response_class=Response,
    responses=_RESPONSES,
    summary="Read the results of a batch",
)
def read_batch_results(
    batch: BatchId, request: Request, context: RequestContextDep, rulebooks: CatalogueDep
) -> Response:
    """One row of results for each row sent, in order. `Accept` chooses CSV, NDJSON or Parquet.

    Use `Range` to resume an interrupted download. Returns 409 until the batch is done.
    """
    file_format = negotiate_format(request.headers.get("accept"))
    return _send_results(request, context, rulebooks, batch, file_format)


@router.get(
    "/{batch}/results.{suffix}",
    operation_id="read_batch_results_as",
    response_class=Response,
    responses={status: _RESPONSES[status] for status in _RESPONSES if status != 406},
    summary="Read the results of a batch in one format",
)
def read_batch_results_as(
    batch: BatchId,
    suffix: FormatSuffix,
    request: Request,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
) -> Response:
    """The results of the batch in the format of the URL suffix; `Accept` is ignored."""
    return _send_results(request, context, rulebooks, batch, suffix)


@router.get(
    "/{batch}/problems",
    operation_id="read_batch_problems",
    response_class=Response,
    responses={
        200: {
            "description": "The problems",
            "content": {MEDIA_TYPES["ndjson"]: {"schema": {"type": "string"}}},
        },
        **error_responses(*GUARDED_ERRORS, 404),
    },
    summary="List the problems of a batch's rows",
)
def read_batch_problems(batch: BatchId, context: RequestContextDep) -> Response:
    """One JSON object per line for each problem found so far: row, line, `row_id`, column, the
    expected value, and a sentence as `detail`. A problem never repeats the value of a cell.
    """
    with context.transaction() as work:
        batches.find_batch(work, batch, SCORE)
        work.audit("read", "batch_problems", batch)
    return StreamingResponse(_problem_lines(context, batch), media_type=MEDIA_TYPES["ndjson"])


@router.get(
    "/{batch}/summary",
    operation_id="read_batch_summary",
    response_model=Cohort,
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}}}},
        **error_responses(*GUARDED_ERRORS, 404, 406, 409),
    },
    summary="Read the cohort of a batch",
)
def read_batch_summary(
    batch: BatchId,
    request: Request,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    locale: ChosenLocale,
) -> Response:
    """The results as counts, red flags first: JSON, or a page for `Accept: text/html`. If people
    (`patient_reference`) have several visits, also how they changed. Tables by a kept column and
    by visits withhold small counts. Returns 409 until the batch is done.
    """
    accept = request.headers.get("accept")
    media_type = negotiate_media_type(accept, ("application/json", "text/html"), {})
    if media_type is None:
        raise Problem("not_acceptable")
    with context.transaction() as work:
        stored_batch = batches.find_batch(work, batch, SCORE)
        _require_done(work, stored_batch)
        notes = batch_chunks.list_chunk_notes(work, batch)
        counts = [note["cohort"] for _, note in notes if "cohort" in note]
        work.audit("read", "batch_results", batch, count=stored_batch.rows)
    loaded = find_rulebook(rulebooks, stored_batch.rulebook)
    visits = read_visits(context, stored_batch, loaded)
    cohort = build_cohort(counts, loaded, visits, locale or DEFAULT_LANGUAGE)
    if locale is not None and cohort.language != locale:
        raise Problem("not_acceptable", "The rulebook is not available in this language.")
    is_page = media_type == "text/html"
    return Response(
        render_cohort_page(cohort) if is_page else cohort.model_dump_json(),
        media_type=media_type,
        headers={"Content-Language": cohort.language},
    )


def _require_done(work: Transaction, batch: StoredBatch) -> None:
    """Raise Problem `conflict` if the batch has no results yet, or was cancelled."""
    state = batches.compute_progress(work, batch).state
    if state == "cancelled":
        raise Problem("conflict", "The batch was cancelled, so it has no results.")
    if state != "done":
        raise Problem(
            "conflict", "The batch is not done.", headers={"Retry-After": RETRY_AFTER_SECONDS}
        )


def _send_results(
    request: Request,
    context: RequestContext,
    rulebooks: Catalogue,
    batch_id: str,
    file_format: BatchFormat,
) -> Response:
    with context.transaction() as work:
        batch = batches.find_batch(work, batch_id, SCORE)
        _require_done(work, batch)
        work.audit("read", "batch_results", batch_id, count=batch.rows)
    tag = hash_parts(batch_id.encode(), file_format.encode(), version("nociscreen").encode())[:32]

    def stream_pieces() -> Iterator[bytes]:
        chunks = read_result_chunks(context, batch)
        return stream_results(file_format, chunks, lambda: _empty_results(rulebooks, batch))

    name = f"nociscreen-results.{file_format}"
    return build_file_response(
        request, FileDownload(MEDIA_TYPES[file_format], name, tag, stream_pieces)
    )


def _empty_results(rulebooks: Catalogue, batch: StoredBatch) -> pl.DataFrame:
    """Return the result columns of the batch without rows."""
    rules = compile_rules(find_rulebook(rulebooks, batch.rulebook))
    keep = batch.options.get("keep", ())
    return build_empty_results(rules, explain=batch.options["explain"], keep=keep)


def _problem_lines(context: RequestContext, batch_id: str) -> Iterator[bytes]:
    first = 0
    while True:
        with context.store.continue_read(context.actor) as work:
            chunk = next(batch_chunks.list_chunk_notes(work, batch_id, first=first), None)
        if chunk is None:
            return
        row, note = chunk
        first = row.number + 1
        yield "".join(map(_encode_problem, note["problems"])).encode()


def _encode_problem(problem: dict[str, Any]) -> str:
    line = problem | {"detail": BatchProblem(**problem).message}
    return json.dumps(line, ensure_ascii=False) + "\n"
