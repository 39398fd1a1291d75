"""Routes that score, store and correct QuestionnaireResponses."""

import json
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Response

from api.auth.request_context import RequestContext
from api.dependencies import CatalogueDep, IdempotentRequestDep, RequestContextDep
from api.fhir.elements import CanonicalUrls, Resource, ResourceVersion
from api.fhir.http import (
    RequireJson,
    build_version_headers,
    guarded_fhir_route,
    outcome_responses,
    resource_response,
    send_resource,
)
from api.fhir.parameters import (
    CanonicalUrlsDep,
    FormsDep,
    IfMatch,
    IfNoneExist,
    Prefer,
    ResourceBody,
    ScreeningId,
)
from api.fhir.parsing.client_scores import compare_client_scores
from api.fhir.parsing.received import is_same_content
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE, ParsedResponse, parse_response
from api.fhir.resources.operation_outcome import (
    InvalidResource,
    OutcomeIssue,
    build_operation_outcome,
    build_success_outcome,
)
from api.fhir.search import derive_screening_id
from api.fhir.versions import build_response_resource, build_version
from api.http.errors.error_responses import BODY_ERRORS
from api.http.preferences import PREFERENCE_APPLIED, read_return_preference
from api.intakes.urgency import needs_alert
from api.problems import Problem
from api.store.errors import ConflictError, NotFoundError
from api.store.idempotency import IdempotentResponse
from api.store.notifications import occasions
from api.store.screenings import screenings
from api.store.screenings.scored_intake import ScoredIntake
from api.store.screenings.versions import list_versions
from api.store.transaction import Transaction
from schemas.patients.screening import Screening
from scoring.catalogue import Catalogue
from scoring.engine import assess

router = APIRouter(
    prefix=f"/fhir/{RESPONSE_TYPE}",
    tags=["FHIR"],
    route_class=guarded_fhir_route("screenings:write"),
    dependencies=[RequireJson],
)
_WITHDRAWAL_REASON = "Marked as entered in error by an update of the FHIR response."
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
    all_forms: FormsDep,
    rulebooks: CatalogueDep,
    idempotent_request: IdempotentRequestDep,
    urls: CanonicalUrlsDep,
    if_none_exist: IfNoneExist = None,
    prefer: Prefer = None,
) -> Response:
    """Totals and weights computed by the client are ignored; each difference is a warning.

    Identifiers are unique: with `If-None-Exist`, a repeated create returns the first response.
    """
    intake = parse_response(resource, all_forms, is_patient_required=True)
    _check_if_none_exist(if_none_exist, intake)
    scored, warnings = _score(intake)

    def store(work: Transaction) -> IdempotentResponse:
        screening_id = _derive_screening_id(work, intake)
        existing = _find_lineage(work, screening_id)  # looked up once, so both branches agree
        if existing is not None and if_none_exist is not None:
            work.audit("read", "screening", existing[0].id)
            return _build_answer(200, build_version(existing, rulebooks, urls), rulebooks)
        if existing is not None:
            issue = OutcomeIssue(
                "duplicate", "is already used by a stored response", f"{RESPONSE_TYPE}.identifier"
            )
            raise InvalidResource("conflict", [issue])
        screening = screenings.add_screening(work, scored, requested_id=screening_id)
        if needs_alert(rulebooks, screening):
            occasions.announce_screening(work, screening, is_urgent=True)
        work.audit("create", "screening", screening.id)
        return _build_answer(201, build_version([screening], rulebooks, urls), rulebooks)

    try:
        response = idempotent_request.run_once(store)
    except ConflictError:
        if if_none_exist is None:
            raise
        response = idempotent_request.run_once(store)  # a concurrent request has stored it by now
    return _apply_preference(response, prefer, warnings)


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
def update_response(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    *,
    resource: ResourceBody,
    context: RequestContextDep,
    all_forms: FormsDep,
    rulebooks: CatalogueDep,
    urls: CanonicalUrlsDep,
    if_match: IfMatch = None,
    prefer: Prefer = None,
) -> Response:
    """The correction is scored and stored as a new version; earlier versions stay readable.

    Content that is the same as stored changes nothing. The status `entered-in-error` withdraws the
    response.
    """
    if resource.get("status") == "entered-in-error":
        return _withdraw(screening, context, rulebooks, urls, if_match, prefer)
    intake = parse_response(resource, all_forms, is_patient_required=True)
    scored, warnings = _score(intake)
    with context.transaction() as work:
        versions = list_versions(work, screening)
        current = build_version(versions, rulebooks, urls)
        _check_if_match(if_match, current)
        current_resource = build_response_resource(current, rulebooks)
        _check_identity(resource, intake, versions[0])
        if is_same_content(resource, current_resource):
            work.audit("read", "screening", screening)
            answer = _build_answer(200, current, rulebooks)
        else:
            scored = _keep_unsent(scored, current, resource, current_resource)
            amended = screenings.amend_screening(work, versions[-1], scored)
            work.audit("amend", "screening", amended.id)
            new = build_version([*versions, amended], rulebooks, urls)
            answer = _build_answer(200, new, rulebooks)
    response = Response(answer.body, 200, {"Location": answer.location or ""})
    return _apply_preference(response, prefer, warnings)


def _withdraw(  # noqa: PLR0913, PLR0917 - what the route was called with
    screening: str,
    context: RequestContext,
    rulebooks: Catalogue,
    urls: CanonicalUrls,
    if_match: str | None,
    prefer: str | None,
) -> Response:
    with context.transaction() as work:
        versions = list_versions(work, screening)
        current = build_version(versions, rulebooks, urls)
        _check_if_match(if_match, current)
        if versions[-1].entered_in_error is None:
            error = screenings.mark_entered_in_error(work, versions[-1], _WITHDRAWAL_REASON)
            work.audit("enter_in_error", "screening", versions[-1].id)
            versions[-1] = versions[-1].model_copy(update={"entered_in_error": error})
        else:
            work.audit("read", "screening", screening)
        answer = _build_answer(200, build_version(versions, rulebooks, urls), rulebooks)
    response = Response(answer.body, 200, {"Location": answer.location or ""})
    return _apply_preference(response, prefer, [])


def _keep_unsent(
    scored: ScoredIntake, current: ResourceVersion, resource: Resource, current_resource: Resource
) -> ScoredIntake:
    """Return the correction with what FHIR cannot say: the note, and a patient that is the same."""
    context = scored.context.model_copy(update={"note": current.screening.context.note})
    patient = scored.patient
    if resource.get("subject") == current_resource["subject"]:
        own = current.screening.patient
        patient = own.model_copy(update={"encounter": patient.encounter})
    return scored._replace(context=context, patient=patient)


def _score(response: ParsedResponse) -> tuple[ScoredIntake, list[OutcomeIssue]]:
    """Score a response; return the intake to store and a warning per differing client score."""
    assessment = assess(response.form.loaded, response.answers, attested=response.is_attested)
    warnings = compare_client_scores(response.claims, response.form.loaded, assessment)
    context, patient = response.context, response.patient
    if context.fhir is None or patient is None:
        raise RuntimeError("a response to store must name its patient")
    texts = tuple(warning.text for warning in warnings)
    fhir = context.fhir.model_copy(update={"differences": texts})
    context = context.model_copy(update={"fhir": fhir})
    intake = ScoredIntake(patient, context, response.answers_as_sent, assessment, "fhir")
    return intake, [*response.warnings, *warnings]


def _derive_screening_id(work: Transaction, response: ParsedResponse) -> str | None:
    """Return the screening id that belongs to the response's identifier; None without one."""
    system, value = _own_identifier(response)
    return None if value is None else derive_screening_id(work, system, value)


def _own_identifier(response: ParsedResponse) -> tuple[str | None, str | None]:
    fhir = response.context.fhir
    return (fhir.identifier_system, fhir.identifier_value) if fhir else (None, None)


def _find_lineage(work: Transaction, screening_id: str | None) -> list[Screening] | None:
    try:
        return list_versions(work, screening_id) if screening_id is not None else None
    except NotFoundError:
        return None


def _check_if_none_exist(if_none_exist: str | None, response: ParsedResponse) -> None:
    """Require that `If-None-Exist` names the identifier of the response itself."""
    if if_none_exist is None:
        return
    query = unquote(if_none_exist.removeprefix("?").removeprefix("identifier="))
    system, _, value = query.rpartition("|")
    if _own_identifier(response) != (system or None, value):
        text = "must match If-None-Exist"
        raise InvalidResource(
            "version_mismatch", [OutcomeIssue("business-rule", text, f"{RESPONSE_TYPE}.identifier")]
        )


def _check_if_match(if_match: str | None, current: ResourceVersion) -> None:
    if if_match is None:
        raise Problem("if_match_required")
    if if_match.strip().removeprefix("W/").strip('"') != str(current.number):
        raise Problem("version_mismatch")


def _check_identity(resource: Resource, response: ParsedResponse, first: Screening) -> None:
    """Require the id of the first version, and its identifier if it had one."""
    if resource.get("id", first.id) != first.id:
        text = "must be the id in the URL"
        raise InvalidResource(
            "invalid_request", [OutcomeIssue("invariant", text, f"{RESPONSE_TYPE}.id")]
        )
    fhir = first.context.fhir
    original = (fhir.identifier_system, fhir.identifier_value) if fhir else (None, None)
    own = _own_identifier(response)
    if own != original and (own[1] is None or original[1] is not None):
        text = "must be the same as in the first version"
        raise InvalidResource(
            "conflict", [OutcomeIssue("conflict", text, f"{RESPONSE_TYPE}.identifier")]
        )


def _build_answer(
    status: int, version: ResourceVersion, rulebooks: Catalogue
) -> IdempotentResponse:
    resource = build_response_resource(version, rulebooks)
    location = (
        f"{version.urls.fhir_url}/{RESPONSE_TYPE}/{version.logical_id}/_history/{version.number}"
    )
    body = json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
    return IdempotentResponse(status, body, location, version.screening.id)


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
