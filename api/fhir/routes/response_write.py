"""Routes that score, store and correct QuestionnaireResponses."""

import json
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Response

from api.auth.request_context import RequestContext
from api.dependencies import IdempotentRequestDep, RequestContextDep
from api.fhir.http import (
    RequireJson,
    build_version_headers,
    guarded_fhir_route,
    guarded_patch_route,
    outcome_responses,
    resource_response,
    send_resource,
)
from api.fhir.parameters import (
    IdentifierCondition,
    IfMatch,
    IfNoneExist,
    OptionalIdentifierCondition,
    PatchBody,
    Prefer,
    PublicationDep,
    ResourceBody,
    ScreeningId,
)
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE
from api.fhir.resources.operation_outcome import (
    OutcomeIssue,
    build_operation_outcome,
    build_success_outcome,
)
from api.fhir.versions import read_response_resource
from api.fhir.writing.prepared_write import ResponseWrite
from api.fhir.writing.responses import (
    prepare_conditional_update,
    prepare_create,
    prepare_patch,
    prepare_update,
)
from api.http.errors.error_responses import BODY_ERRORS
from api.http.preferences import PREFERENCE_APPLIED, read_return_preference
from api.store.errors import ConflictError

router = APIRouter(
    prefix=f"/fhir/{RESPONSE_TYPE}",
    tags=["FHIR"],
    route_class=guarded_fhir_route("screenings:write"),
    dependencies=[RequireJson],
)
patch_router = APIRouter(
    prefix=f"/fhir/{RESPONSE_TYPE}",
    tags=["FHIR"],
    route_class=guarded_patch_route("screenings:write"),
    dependencies=[RequireJson],
)
_PRESERVED_HEADERS = ("location", "idempotency-replayed")


@router.post(
    "",
    operation_id="create_response",
    status_code=201,
    response_class=Response,
    responses={
        **resource_response(RESPONSE_TYPE, 201),
        200: {"description": "A response with this identifier exists; nothing was stored"},
        **outcome_responses(*BODY_ERRORS, 406, 409, 412),
    },
    summary="Score and store a response",
)
def create_response(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    resource: ResourceBody,
    *,
    publication: PublicationDep,
    idempotent_request: IdempotentRequestDep,
    if_none_exist: IfNoneExist = None,
    identifier: OptionalIdentifierCondition = None,
    prefer: Prefer = None,
) -> Response:
    """Totals and weights computed by the client are ignored; each difference is a warning.

    Identifiers are unique: with `If-None-Exist`, a repeated create returns the first response. The
    query parameter `identifier` means the same, as some clients send it. With the status
    `in-progress` the response is kept as a draft: not scored, and read by this client alone.
    """
    if identifier is not None and if_none_exist is None:
        if_none_exist = f"identifier={quote(identifier)}"
    write = prepare_create(resource, publication, if_none_exist)
    try:
        response = idempotent_request.run_once(write.store)
    except ConflictError:
        if if_none_exist is None:
            raise
        response = idempotent_request.run_once(write.store)  # the other is stored by now
    return _apply_preference(response, prefer, write.warnings)


@router.put(
    "/{screening}",
    operation_id="update_response",
    response_class=Response,
    responses={
        **resource_response(RESPONSE_TYPE),
        **outcome_responses(*BODY_ERRORS, 404, 406, 409, 412),
    },
    summary="Correct a response with a new version",
)
def update_response(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    resource: ResourceBody,
    context: RequestContextDep,
    publication: PublicationDep,
    if_match: IfMatch = None,
    prefer: Prefer = None,
) -> Response:
    """The correction is scored and stored as a new version; earlier versions stay readable.

    Content that is the same as stored changes nothing. The status `entered-in-error` withdraws the
    response. A draft is changed, or scored once it is completed; in error, it is erased.
    """
    write = prepare_update(screening, resource, publication, if_match)
    return _run(write, context, prefer)


@router.put(
    "",
    operation_id="update_response_by_identifier",
    response_class=Response,
    responses={
        **resource_response(RESPONSE_TYPE),
        201: {"description": "No response had this identifier; it was stored"},
        **outcome_responses(*BODY_ERRORS, 404, 406, 409, 412),
    },
    summary="Store a response, or correct the one with its identifier",
)
def update_response_by_identifier(  # noqa: PLR0913 - as above
    identifier: IdentifierCondition,
    *,
    resource: ResourceBody,
    context: RequestContextDep,
    publication: PublicationDep,
    if_match: IfMatch = None,
    prefer: Prefer = None,
) -> Response:
    """The condition must name the identifier of the response itself; `If-Match` is optional."""
    write = prepare_conditional_update(
        f"identifier={quote(identifier)}", resource, publication, if_match
    )
    return _run(write, context, prefer)


@patch_router.patch(
    "/{screening}",
    operation_id="patch_response",
    response_class=Response,
    responses={
        **resource_response(RESPONSE_TYPE),
        **outcome_responses(*BODY_ERRORS, 404, 406, 409, 412),
    },
    summary="Correct a response by a JSON Patch",
)
def patch_response(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    operations: PatchBody,
    context: RequestContextDep,
    publication: PublicationDep,
    if_match: IfMatch = None,
    prefer: Prefer = None,
) -> Response:
    """The patched response is scored and stored as a new version, as an update would be."""
    current = read_response_resource(context, publication.rulebooks, publication.urls, screening)
    write = prepare_patch(current, operations, publication, if_match)
    return _run(write, context, prefer)


def _run(write: ResponseWrite, context: RequestContext, prefer: str | None) -> Response:
    with context.transaction() as work:
        answer = write.store(work)
    response = Response(answer.body, answer.status, {"Location": answer.location or ""})
    return _apply_preference(response, prefer, write.warnings)


def _apply_preference(
    response: Response, prefer: str | None, warnings: list[OutcomeIssue]
) -> Response:
    """Return the response in the form that `Prefer` names; by default with the resource."""
    resource: dict[str, Any] = json.loads(bytes(response.body))
    preference = read_return_preference(prefer)
    headers = {
        name: response.headers[name] for name in _PRESERVED_HEADERS if name in response.headers
    }
    headers |= build_version_headers(resource)
    if preference is not None:
        headers[PREFERENCE_APPLIED] = f"return={preference}"
    match preference:
        case "minimal":
            return Response(status_code=response.status_code, headers=headers)
        case "OperationOutcome":
            outcome = build_operation_outcome(warnings) if warnings else build_success_outcome()
            return send_resource(outcome, status=response.status_code, **headers)
    return send_resource(resource, status=response.status_code, **headers)
