"""Routes that print the reports of a batch into a ZIP, or deliver its rows to a destination."""

import io
import json
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from api.auth.route_guard import require_scope
from api.batch_scoring.chunking import RowChunk, build_uniform_faults, pack_chunk, unpack_chunk
from api.batches.file_transfer import RETRY_AFTER_SECONDS
from api.batches.zip_stream import stream_zip
from api.deliveries import profiles
from api.dependencies import (
    BatchId,
    CatalogueDep,
    CurrentCaller,
    IdempotentRequestDep,
    RequestContextDep,
    SettingsDep,
)
from api.http.bodies.byte_ranges import FileDownload, build_file_response
from api.http.errors.error_responses import BODY_ERRORS, GUARDED_ERRORS, error_responses
from api.jobs.print_chunk import ROWS_PER_CHUNK
from api.jobs.score_chunk import find_rulebook
from api.problems import FieldError, Problem
from api.settings import Settings
from api.store.accounts.callers import Caller
from api.store.batches import batches
from api.store.batches import chunks as batch_chunks
from api.store.batches.batch_quotas import require_batch_quotas
from api.store.batches.batches import DELIVERIES, REPORTS, SCORE, NewBatch, StoredBatch
from api.store.batches.chunk_content import ChunkContent
from api.store.deliveries import destinations
from api.store.idempotency import IdempotentResponse
from api.store.keys.field_encryption import hash_parts
from api.store.transaction import Transaction
from reports.phrases import list_languages
from schemas.assessments.assessment import Status
from schemas.base import FrozenModel, Many
from schemas.batches.batch import (
    BAND_COLUMN,
    MAX_SUMMARY_PROBLEMS,
    NOT_ALL_ASKED,
    STATUS_COLUMN,
    TIER_COLUMN,
    RowProblem,
)
from schemas.batches.batch_job import ReportsBatch
from schemas.organisations.delivery import DestinationId
from schemas.text import READABLE, TEXT_RULE
from scoring.catalogue import Catalogue
from scoring.common_rules.safety import NO_TIER

ReportLanguage: Any = Literal[list_languages()]
ReportsId = Annotated[
    str,
    Path(
        alias="reports",
        pattern=r"^[0-9a-f-]{36}$",
        examples=["6f6f6f6f-0000-4000-8000-000000000008"],
    ),
]
router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=require_scope("batches"))
_FilterValue = Annotated[str, Field(min_length=1, max_length=80, pattern=READABLE), TEXT_RULE]
FilterValues = Annotated[Many[_FilterValue], Field(max_length=20)]
StatusFilter = Annotated[Many[Status], Field(max_length=20)]


class ReportsRequest(FrozenModel):
    """Which rows to print, and how. A filter that is left out matches every row."""

    status: StatusFilter = Field(
        default=(), description="Print rows with one of these; all rows if empty."
    )
    band: FilterValues = Field(default=(), description="Bands of the rulebook.")
    tier: FilterValues = Field(
        default=(), description="Tiers of the rulebook, `none` (all asked), or `not_all_asked`."
    )
    format: Literal["pdf", "html", "rtf", "txt", "xml"] = "pdf"
    document: Literal["clinician", "patient"] = "clinician"
    locale: ReportLanguage = "en"
    destination: DestinationId | None = Field(
        default=None,
        description="Store each row as a screening and send it to this destination instead. The "
        "destination determines the document, so omit `format`, `document` and `locale`.",
        examples=["d-6f6f6f6f-0000-4000-8000-000000000005"],
    )


@router.post(
    "/{batch}/reports",
    operation_id="create_batch_reports",
    status_code=202,
    response_model=ReportsBatch,
    responses=error_responses(*BODY_ERRORS, 404, 409),
    summary="Print or deliver the rows of a batch",
)
def create_batch_reports(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    batch: BatchId,
    selection: ReportsRequest,
    *,
    idempotent_request: IdempotentRequestDep,
    settings: SettingsDep,
    caller: CurrentCaller,
    rulebooks: CatalogueDep,
) -> Response:
    """Prints a report of each row that has a status and matches the filters. Returns 409 until the
    batch is done.

    With a `destination`, each row with a patient reference is stored as a screening and enqueued
    for delivery; this also requires `screenings:write` and `deliveries:write`. Rows that were not
    sent are listed as problems, by row number.
    """
    if selection.destination is not None:
        _check_scopes(caller)
        _check_no_format(selection)

    def create(work: Transaction) -> IdempotentResponse:
        scored = batches.find_batch(work, batch, SCORE)
        _check_filters(selection, scored, rulebooks)
        return _create(work, scored, selection, settings, caller)

    response = idempotent_request.run_once(create)
    response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


@router.get(
    "/{batch}/reports/{reports}",
    operation_id="read_batch_reports",
    responses=error_responses(*GUARDED_ERRORS, 404),
    summary="Read the progress of a batch's reports",
)
def read_batch_reports(
    batch: BatchId, reports: ReportsId, context: RequestContextDep
) -> ReportsBatch:
    """Counts of rows: printed or enqueued for delivery, and set aside if that failed."""
    with context.transaction() as work:
        progress = _reports_detail(work, batches.find_child_batch(work, batch, reports))
        work.audit("read", "batch", reports)
    return progress


@router.get(
    "/{batch}/reports/{reports}/zip",
    operation_id="download_batch_reports",
    response_class=Response,
    responses={
        200: {
            "description": "The ZIP",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
        206: {
            "description": "The requested range of the ZIP",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
        **error_responses(*GUARDED_ERRORS, 404, 409, 416),
    },
    summary="Download the reports as one ZIP",
)
def download_batch_reports(
    batch: BatchId, reports: ReportsId, request: Request, context: RequestContextDep
) -> Response:
    """Files are named by the number of their row. Use `Range` to resume an interrupted download."""
    with context.transaction() as work:
        job = batches.find_child_batch(work, batch, reports)
        if job.kind == DELIVERIES:
            raise Problem(
                "conflict", "These reports were delivered to a destination, so there is no ZIP."
            )
        if batches.compute_progress(work, job).state != "done":
            raise Problem("conflict", "The reports are not done.", headers={"Retry-After": "5"})
        work.audit("report", "batch", reports, count=job.rows)
    tag = hash_parts(reports.encode())[:32]
    name = "nociscreen-reports.zip"
    return build_file_response(
        request, FileDownload("application/zip", name, tag, lambda: stream_zip(context, job))
    )


def _check_filters(selection: ReportsRequest, scored: StoredBatch, rulebooks: Catalogue) -> None:
    """Raise Problem `invalid_request` for a band or tier that the rulebook does not have."""
    rulebook = find_rulebook(rulebooks, scored.rulebook).rulebook
    known_values = {
        "band": [band.id for band in rulebook.band],
        "tier": [*(tier.id for tier in rulebook.tier), NO_TIER, NOT_ALL_ASKED],
    }
    errors = [
        FieldError(
            pointer=f"/{name}/{place}",
            code="unknown_value",
            detail=f"must be one of {', '.join(known_values[name])}",
        )
        for name in known_values
        for place, word in enumerate(getattr(selection, name))
        if word not in known_values[name]
    ]
    if errors:
        raise Problem("invalid_request", errors=errors)


def _create(
    work: Transaction,
    scored: StoredBatch,
    selection: ReportsRequest,
    settings: Settings,
    caller: Caller,
) -> IdempotentResponse:
    if batches.compute_progress(work, scored).state != "done":
        raise Problem(
            "conflict", "The batch is not done.", headers={"Retry-After": RETRY_AFTER_SECONDS}
        )
    options: dict[str, Any] = {"organisation": caller.organisation, "test": caller.test}
    if selection.destination is None:
        kind = REPORTS
        options |= selection.model_dump(include={"format", "document", "locale"})
    else:
        _check_destination(work, selection.destination)
        kind = DELIVERIES
        options |= {"destination": selection.destination}
    job = NewBatch(kind, scored.rulebook, scored.rulebook_sha256, options, scored.id)
    chunks = _limit_rows(_select_rows(work, scored, selection), settings.max_batch_reports)
    batch = batches.add_batch(work, job, chunks, scored.expires_at)
    require_batch_quotas(work, settings)
    detail = _reports_detail(work, batch)
    work.audit("create", "batch", batch.id, count=batch.rows)
    return IdempotentResponse(202, detail.model_dump_json().encode(), detail.links["self"])


def _check_scopes(caller: Caller) -> None:
    """Raise Problem `insufficient_scope` if the caller may not store screenings and send them."""
    if not {"screenings:write", "deliveries:write"}.issubset(caller.scopes):
        needed = "batches screenings:write deliveries:write"
        challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
        raise Problem("insufficient_scope", headers={"WWW-Authenticate": challenge})


def _check_no_format(selection: ReportsRequest) -> None:
    """Raise Problem `invalid_request` for a field that the destination determines."""
    detail = "is determined by the destination; omit it"
    errors = [
        FieldError(pointer=f"/{name}", code="not_allowed", detail=detail)
        for name in ("format", "document", "locale")
        if name in selection.model_fields_set
    ]
    if errors:
        raise Problem("invalid_request", errors=errors)


def _check_destination(work: Transaction, destination_id: str) -> None:
    """Raise Problem `not_found`, `conflict` if inactive, or `invalid_request` for its options."""
    destination = destinations.find_destination(work, destination_id)
    profiles.apply_options(destination.profile, destination.options)
    if not destination.active:
        raise Problem("conflict", "The destination is not active.")


def _limit_rows(
    chunks: Iterator[tuple[int, ChunkContent]], limit: int
) -> Iterator[tuple[int, ChunkContent]]:
    total = 0
    for count, chunk in chunks:
        total += count
        if total > limit:
            raise Problem(
                "too_large", f"A request can print at most {limit:,} reports; select fewer rows."
            )
        yield count, chunk


def _select_rows(
    work: Transaction, scored: StoredBatch, selection: ReportsRequest
) -> Iterator[tuple[int, ChunkContent]]:
    """Yield chunks of the rows that match, with the numbers of the rows in the batch."""
    rows_before = 0
    for number in range(scored.chunks):
        rows_sent = batch_chunks.read_chunk_content(work, scored.id, number)
        content = batch_chunks.read_chunk_results(work, scored.id, number)
        if rows_sent is None or content is None:
            raise Problem("not_found")
        results, frame = pl.read_ipc(io.BytesIO(content)), unpack_chunk(rows_sent).frame
        rows = results.with_row_index("row").filter(_matches(results, selection))["row"].to_list()
        for start in range(0, len(rows), ROWS_PER_CHUNK):
            selected = rows[start : start + ROWS_PER_CHUNK]
            chunk = pack_chunk(RowChunk(frame[selected], build_uniform_faults(0, "", ""), None))
            numbers = json.dumps([rows_before + row + 1 for row in selected]).encode()
            yield len(selected), chunk._replace(parts=(*chunk.parts, numbers))
        rows_before += results.height


def _matches(results: pl.DataFrame, selection: ReportsRequest) -> pl.Expr:
    matches = pl.col(STATUS_COLUMN).is_not_null()
    for column, values in (
        (STATUS_COLUMN, selection.status),
        (BAND_COLUMN, selection.band),
        (TIER_COLUMN, selection.tier),
    ):
        if values and column in results.columns:
            matches &= pl.col(column).cast(pl.String).is_in(list(values)).fill_null(value=False)
        elif values:
            matches &= pl.lit(value=False)
    return matches


def _reports_detail(work: Transaction, batch: StoredBatch) -> ReportsBatch:
    notes = [note for _, note in batch_chunks.list_chunk_notes(work, batch.id)]
    problems = [RowProblem(**problem) for note in notes for problem in note.get("problems", ())]
    set_aside = {"rows_set_aside": sum(len(note["failed"]) for note in notes)}
    path = f"/v1/batches/{batch.parent}/reports/{batch.id}"
    destination = batch.options.get("destination")
    if destination is None:
        output = {"zip": f"{path}/zip"}
    else:
        output = {"deliveries": f"/v1/deliveries?destination={destination}"}
    return ReportsBatch(
        **dict(batches.compute_progress(work, batch)) | set_aside,
        id=batch.id,
        batch=batch.parent or "",
        destination=destination,
        rows_enqueued=sum(note.get("enqueued", 0) for note in notes),
        failed=Counter(problem.code for problem in problems),
        problems=tuple(problems[:MAX_SUMMARY_PROBLEMS]),
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        links={"self": path} | output,
    )
