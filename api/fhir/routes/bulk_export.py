"""Routes of Bulk Data `$export`, of the system or all patients: kick-off, status, files, delete.

The job engine of batches builds the files, a chunk of screenings at a time. They are encrypted, and
erased with any patient in them, after a day, or on request.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, Field
from starlette.responses import StreamingResponse

from api.auth.request_context import RequestContext
from api.dependencies import CurrentCaller, RequestContextDep, SettingsDep, build_id_parameter
from api.fhir.bulk_export import EXPORTED_TYPES, NDJSON, SCREENINGS_PER_CHUNK, unpack_file
from api.fhir.http import guarded_fhir_route, outcome_responses
from api.http.errors.error_responses import GUARDED_ERRORS
from api.problems import FieldError, Problem
from api.settings import Settings
from api.store.accounts.callers import Caller
from api.store.batches import batches
from api.store.batches import chunks as batch_chunks
from api.store.batches.batch_quotas import require_batch_quotas
from api.store.batches.batches import EXPORT, NewBatch, StoredBatch
from api.store.batches.chunk_content import ChunkContent
from api.store.screenings.versions import list_first_versions
from api.store.transaction import Transaction
from schemas.base import FrozenModel, Many
from schemas.text import READABLE

KEEP_DAYS = 1
RETRY_SECONDS = "5"
EXPORT_PATH, STATUS_PATH, FILES_PATH = "/$export", "/$export-status", "/$export-files"
_FORMATS = re.compile(r"(application/)?(fhir[+ ])?ndjson")
ExportId = Annotated[str, build_id_parameter("export", 7, "The id from the kick-off.")]
ExportFile = Annotated[
    str,
    Path(
        alias="export_file",
        pattern=rf"^[0-9a-f-]{{36}}\.({'|'.join(EXPORTED_TYPES)})$",
        examples=["6f6f6f6f-0000-4000-8000-000000000007.Observation"],
    ),
]
_NDJSON_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The resources", "content": {NDJSON: {"schema": {"type": "string"}}}}
}
_Text = Annotated[str, Field(max_length=400, pattern=READABLE)]
router = APIRouter(prefix="/fhir", tags=["FHIR"], route_class=guarded_fhir_route("screenings:read"))


class ExportedFile(FrozenModel):
    """A file of an export: its type, its address and the number of its resources."""

    type: str
    url: str
    count: int


class ExportManifest(FrozenModel):
    """The manifest of a finished export."""

    transactionTime: str  # noqa: N815 - the guide's name
    request: str
    requiresAccessToken: bool  # noqa: N815 - as above
    output: Many[ExportedFile]
    error: Many[ExportedFile]


@router.get(
    f"/Patient{EXPORT_PATH}",
    operation_id="export_resources_of_patients",
    status_code=202,
    response_class=Response,
    responses=outcome_responses(*GUARDED_ERRORS),
    summary="Begin a Bulk Data export of all patients",
)
@router.get(
    EXPORT_PATH,
    operation_id="export_resources",
    status_code=202,
    response_class=Response,
    responses=outcome_responses(*GUARDED_ERRORS),
    summary="Begin a Bulk Data export",
)
def begin_export(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    request: Request,
    context: RequestContextDep,
    caller: CurrentCaller,
    settings: SettingsDep,
    *,
    output_format: Annotated[
        _Text | None,
        Query(alias="_outputFormat", description="NDJSON alone.", examples=["ndjson"]),
    ] = None,
    since: Annotated[
        AwareDatetime | None,
        Query(
            alias="_since",
            description="Resources that changed since then alone.",
            examples=["2026-11-01T00:00:00Z"],
        ),
    ] = None,
    types: Annotated[
        _Text | None,
        Query(
            alias="_type",
            description=f"Types, separated by commas. Default: {', '.join(EXPORTED_TYPES)}.",
            examples=["QuestionnaireResponse,Observation"],
        ),
    ] = None,
) -> Response:
    """Export the newest version of every screening of the organisation. `Content-Location` says
    where to ask for the state. Every resource is of a patient, so both addresses export the same.
    """
    if output_format is not None and not _FORMATS.fullmatch(output_format):
        raise _refuse("_outputFormat", "must be application/fhir+ndjson")
    options = {
        "organisation": caller.organisation,
        "types": _select_types(types, caller),
        "since": since.isoformat() if since else None,
        "request": f"{settings.public_url}{request.url.path}"
        + (f"?{request.url.query}" if request.url.query else ""),
    }
    with context.transaction() as work:
        job = NewBatch(EXPORT, "", "", options)
        expires_at = batches.compute_expiry(work.now, KEEP_DAYS)
        batch = batches.add_batch(work, job, _list_chunks(work), expires_at)
        require_batch_quotas(work, settings)
        work.audit("export", "batch", batch.id, count=max(batch.rows, 1))
    location = f"{settings.public_url}/fhir{STATUS_PATH}/{batch.id}"
    return Response(status_code=202, headers={"Content-Location": location})


@router.get(
    f"{STATUS_PATH}/{{export}}",
    operation_id="read_export_status",
    response_model=ExportManifest,
    responses={202: {"description": "In progress"}, **outcome_responses(*GUARDED_ERRORS, 404)},
    summary="Read the state of a Bulk Data export",
)
def read_export_status(
    export: ExportId, context: RequestContextDep, settings: SettingsDep
) -> Response:
    """Return 202 with `X-Progress`, then the manifest with the address of each file."""
    with context.transaction() as work:
        batch = batches.find_batch(work, export, EXPORT)
        progress = batches.compute_progress(work, batch)
        notes = [note for _, note in batch_chunks.list_chunk_notes(work, export)]
        work.audit("read", "batch", export)
    if progress.state == "cancelled":
        raise Problem("not_found")
    if progress.state != "done":
        headers = {"X-Progress": f"{progress.rows_done} of {progress.rows} screenings",
                   "Retry-After": RETRY_SECONDS}  # fmt: skip
        return Response(status_code=202, headers=headers)
    if progress.rows_set_aside:
        detail = f"{progress.rows_set_aside} screenings could not be exported. Begin again."
        raise Problem("internal", detail)
    headers = {"Expires": batch.expires_at.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    return JSONResponse(_build_manifest(batch, notes, settings), headers=headers)


@router.delete(
    f"{STATUS_PATH}/{{export}}",
    operation_id="delete_export",
    status_code=202,
    response_class=Response,
    responses=outcome_responses(*GUARDED_ERRORS, 404),
    summary="Cancel or delete a Bulk Data export",
)
def delete_export(export: ExportId, context: RequestContextDep) -> Response:
    """Delete the export with its files, finished or not."""
    with context.transaction() as work:
        batches.find_batch(work, export, EXPORT)
        batches.delete_batches(work, [export])
        work.audit("erase", "batch", export)
    return Response(status_code=202)


@router.get(
    f"{FILES_PATH}/{{export_file}}",
    operation_id="read_export_file",
    response_class=StreamingResponse,
    responses=_NDJSON_RESPONSE | outcome_responses(*GUARDED_ERRORS, 404),
    summary="Read a file of a Bulk Data export",
)
def read_export_file(
    export_file: ExportFile, context: RequestContextDep, caller: CurrentCaller
) -> StreamingResponse:
    """Return all resources of one type, a line each. It needs the scope of the type."""
    export, _, type_ = export_file.partition(".")
    with context.transaction() as work:
        batch = batches.find_batch(work, export, EXPORT)
        is_done = batches.compute_progress(work, batch).state == "done"
        if type_ not in batch.options["types"] or not is_done:
            raise Problem("not_found")
        if not _may_read(caller, type_):
            raise Problem("insufficient_scope")
        work.audit("export", "batch", export, count=max(batch.rows, 1))
    return StreamingResponse(_stream_lines(context, batch, type_), media_type=NDJSON)


def _select_types(text: str | None, caller: Caller) -> list[str]:
    """Return the types to export: those requested, or all that the caller may read."""
    if text is None:
        return [name for name in EXPORTED_TYPES if _may_read(caller, name)]
    requested = list(dict.fromkeys(text.split(",")))
    if unknown := [name for name in requested if name not in EXPORTED_TYPES]:
        detail = f"{len(unknown)} unknown types: expected some of {', '.join(EXPORTED_TYPES)}"
        raise _refuse("_type", detail)
    if not all(_may_read(caller, name) for name in requested):
        raise Problem("insufficient_scope")
    return requested


def _may_read(caller: Caller, resource_type: str) -> bool:
    return "screenings:read" in caller.scopes or f"{resource_type}.r" in caller.fhir_scopes


def _list_chunks(work: Transaction) -> Iterator[tuple[int, ChunkContent]]:
    """Yield chunks of the ids of all screenings, with the references of their patients."""
    screenings = list_first_versions(work)
    for start in range(0, len(screenings), SCREENINGS_PER_CHUNK):
        part = screenings[start : start + SCREENINGS_PER_CHUNK]
        references = tuple(dict.fromkeys(reference for _, reference in part))
        ids = json.dumps([screening_id for screening_id, _ in part]).encode()
        yield len(part), ChunkContent(references, (ids,))


def _build_manifest(
    batch: StoredBatch, notes: list[dict[str, Any]], settings: Settings
) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for note in notes:
        counts.update(note["counts"])
    files = f"{settings.public_url}/fhir{FILES_PATH}/{batch.id}"
    return {
        "transactionTime": batch.created_at.isoformat(timespec="milliseconds"),
        "request": batch.options["request"],
        "requiresAccessToken": True,
        "output": [
            {"type": name, "url": f"{files}.{name}", "count": counts[name]}
            for name in batch.options["types"]
            if counts[name]
        ],
        "error": [],
    }


def _stream_lines(context: RequestContext, batch: StoredBatch, name: str) -> Iterator[bytes]:
    for number in range(batch.chunks):
        with context.store.continue_read(context.actor) as work:
            content = batch_chunks.read_chunk_results(work, batch.id, number)
        if content is not None:
            yield unpack_file(content, name)


def _refuse(name: str, detail: str) -> Problem:
    error = FieldError(pointer=f"/{name}", code="wrong_value", detail=detail)
    return Problem("invalid_request", errors=[error])
