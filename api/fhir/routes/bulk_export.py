"""Routes of the kick-off of Bulk Data `$export`, of the system or of all patients.

What the service does not support is refused by name. A client that prefers `handling=lenient` gets
an export without it, and a file that names what was ignored.
"""

import json
import re
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, Field

from api.auth.route_guard import GuardedRoute
from api.dependencies import CurrentCaller, RequestContextDep, SettingsDep
from api.fhir.bulk_export import (
    EXPORT_PATH,
    EXPORTED_TYPES,
    SCREENINGS_PER_CHUNK,
    STATUS_PATH,
    may_read_type,
)
from api.fhir.http import outcome_responses
from api.fhir.search_routing import keep_parameters
from api.http.bodies.request_body import JSON
from api.http.errors.error_responses import GUARDED_ERRORS
from api.http.preferences import prefers_lenient_handling
from api.problems import FieldError, Problem
from api.store.accounts.callers import Caller
from api.store.batches import batches
from api.store.batches.batch_quotas import require_batch_quotas
from api.store.batches.batches import EXPORT, NewBatch
from api.store.batches.chunk_content import ChunkContent
from api.store.screenings.versions import list_first_versions
from api.store.transaction import Transaction
from schemas.text import READABLE

KEEP_DAYS = 1
UNSUPPORTED = (
    *("_typeFilter", "_elements", "_until", "patient", "includeAssociatedData"),
    *("organizeOutputBy", "allowPartialManifests"),
)
"""Parameters of the guide that are not supported: the only ones that are stored by name."""
_FORMATS = re.compile(r"(application/)?(fhir[+ ])?ndjson")
_TYPE_NAME = re.compile(r"[A-Z][A-Za-z]{1,40}")
_Text = Annotated[str, Field(max_length=400, pattern=READABLE)]


class _ExportRoute(GuardedRoute):
    """A kick-off: strict unless the client prefers `handling=lenient`."""

    scope = "screenings:read"
    body_media_type = JSON

    async def prepare_request(self, request: Request) -> Request:
        """Return the request with the parameters that are used, and note the others."""
        names = [name for name in request.query_params if name not in self.query_names]
        unsupported = [name for name in names if name in UNSUPPORTED]
        if prefers_lenient_handling(request.headers.get("prefer")):
            request.state.ignored = _describe_ignored(unsupported, len(names) - len(unsupported))
            return keep_parameters(request, self.query_names)
        if unsupported:
            raise Problem("invalid_request", errors=map(_refuse_parameter, unsupported))
        request.state.ignored = []
        return request


router = APIRouter(prefix="/fhir", tags=["FHIR"], route_class=_ExportRoute)


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
    With `Prefer: handling=lenient`, parameters and types that are not supported are ignored.
    """
    if output_format is not None and not _FORMATS.fullmatch(output_format):
        raise _refuse("_outputFormat", "must be application/fhir+ndjson, the only format")
    selected, unknown = _select_types(types, caller)
    if unknown and not (selected and prefers_lenient_handling(request.headers.get("prefer"))):
        raise _refuse("_type", f"{_name_types(unknown)}; expected {', '.join(EXPORTED_TYPES)}")
    options = {
        "organisation": caller.organisation,
        "types": selected,
        "since": since.isoformat() if since else None,
        "request": f"{settings.public_url}{request.url.path}"
        + (f"?{request.url.query}" if request.url.query else ""),
        "ignored": request.state.ignored
        + [f"_type: {_name_types(names)}." for names in [unknown] if names],
    }
    with context.transaction() as work:
        job = NewBatch(EXPORT, "", "", options)
        expires_at = batches.compute_expiry(work.now, KEEP_DAYS)
        batch = batches.add_batch(work, job, _list_chunks(work), expires_at)
        require_batch_quotas(work, settings)
        work.audit("export", "batch", batch.id, count=max(batch.rows, 1))
    location = f"{settings.public_url}/fhir{STATUS_PATH}/{batch.id}"
    return Response(status_code=202, headers={"Content-Location": location})


def _describe_ignored(unsupported: list[str], unknown: int) -> list[str]:
    """Return a sentence for each parameter of the guide, and one that counts the others."""
    sentences = [f"{name} is not supported and was ignored." for name in unsupported]
    if unknown:
        sentences.append(f"Unknown parameters that were ignored: {unknown}.")
    return sentences


def _select_types(text: str | None, caller: Caller) -> tuple[list[str], list[str]]:
    """Return the types to export, all that the caller may read by default, and unknown ones."""
    if text is None:
        return [name for name in EXPORTED_TYPES if may_read_type(caller, name)], []
    requested = list(dict.fromkeys(text.split(",")))
    selected = [name for name in requested if name in EXPORTED_TYPES]
    if not all(may_read_type(caller, name) for name in selected):
        raise Problem("insufficient_scope")
    return selected, [name for name in requested if name not in EXPORTED_TYPES]


def _name_types(unknown: list[str]) -> str:
    """Name the types that are not exported; other text is counted, as it may be of a patient."""
    names = [name for name in unknown if _TYPE_NAME.fullmatch(name)]
    if count := len(unknown) - len(names):
        names.append(f"{count} that are not types")
    return f"not exported: {', '.join(names)}"


def _list_chunks(work: Transaction) -> Iterator[tuple[int, ChunkContent]]:
    """Yield chunks of the ids of all screenings, with the references of their patients."""
    screenings = list_first_versions(work)
    for start in range(0, len(screenings), SCREENINGS_PER_CHUNK):
        part = screenings[start : start + SCREENINGS_PER_CHUNK]
        references = tuple(dict.fromkeys(reference for _, reference in part))
        ids = json.dumps([screening_id for screening_id, _ in part]).encode()
        yield len(part), ChunkContent(references, (ids,))


def _refuse_parameter(name: str) -> FieldError:
    detail = "is not supported; with `Prefer: handling=lenient` it is ignored"
    return FieldError(pointer=f"/{name}", code="search_parameter", detail=detail)


def _refuse(name: str, detail: str) -> Problem:
    error = FieldError(pointer=f"/{name}", code="wrong_value", detail=detail)
    return Problem("invalid_request", errors=[error])
