"""Routes of a Bulk Data export that has begun: status, files, delete.

The job engine of batches builds the files, a chunk of screenings at a time. They are encrypted, and
erased with any patient in them, after a day, or on request.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse
from starlette.responses import StreamingResponse

from api.auth.request_context import RequestContext
from api.dependencies import CurrentCaller, RequestContextDep, SettingsDep, build_id_parameter
from api.fhir.bulk_export import (
    EXPORTED_TYPES,
    FILES_PATH,
    NDJSON,
    OUTCOMES,
    STATUS_PATH,
    may_read_type,
    unpack_file,
)
from api.fhir.http import guarded_fhir_route, outcome_responses
from api.fhir.resources.operation_outcome import OutcomeIssue, build_operation_outcome
from api.http.errors.error_responses import GUARDED_ERRORS
from api.problems import Problem
from api.settings import Settings
from api.store.batches import batches
from api.store.batches import chunks as batch_chunks
from api.store.batches.batches import EXPORT, StoredBatch
from schemas.base import FrozenModel, Many

RETRY_SECONDS = "5"
ExportId = Annotated[str, build_id_parameter("export", 7, "The id from the kick-off.")]
ExportFile = Annotated[
    str,
    Path(
        alias="export_file",
        pattern=rf"^[0-9a-f-]{{36}}\.({'|'.join((*EXPORTED_TYPES, OUTCOMES))})$",
        examples=["6f6f6f6f-0000-4000-8000-000000000007.Observation"],
    ),
]
_NDJSON_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The resources", "content": {NDJSON: {"schema": {"type": "string"}}}}
}
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
    """Return all resources of one type, a line each. It needs the scope of the type.

    The file of OperationOutcomes says what of the request was ignored.
    """
    export, _, type_ = export_file.partition(".")
    with context.transaction() as work:
        batch = batches.find_batch(work, export, EXPORT)
        is_done = batches.compute_progress(work, batch).state == "done"
        if type_ == OUTCOMES and is_done and _list_ignored(batch):
            work.audit("read", "batch", export)
            return StreamingResponse(_build_outcomes(batch), media_type=NDJSON)
        if type_ not in batch.options["types"] or not is_done:
            raise Problem("not_found")
        if not may_read_type(caller, type_):
            raise Problem("insufficient_scope")
        work.audit("export", "batch", export, count=max(batch.rows, 1))
    return StreamingResponse(_stream_lines(context, batch, type_), media_type=NDJSON)


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
        "error": [{"type": OUTCOMES, "url": f"{files}.{OUTCOMES}", "count": 1}]
        if _list_ignored(batch)
        else [],
    }


def _list_ignored(batch: StoredBatch) -> list[str]:
    """Return what of the request was ignored, in sentences."""
    ignored: list[str] = batch.options.get("ignored", [])
    return ignored


def _build_outcomes(batch: StoredBatch) -> Iterator[bytes]:
    issues = [OutcomeIssue("not-supported", it, severity="warning") for it in _list_ignored(batch)]
    yield json.dumps(build_operation_outcome(issues)).encode() + b"\n"


def _stream_lines(context: RequestContext, batch: StoredBatch, name: str) -> Iterator[bytes]:
    for number in range(batch.chunks):
        with context.store.continue_read(context.actor) as work:
            content = batch_chunks.read_chunk_results(work, batch.id, number)
        if content is not None:
            yield unpack_file(content, name)
