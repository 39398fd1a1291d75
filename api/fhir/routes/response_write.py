"""Routes that score, store and correct QuestionnaireResponses."""

import json
import re
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Header, Response

from api.dependencies import Acting, Creating, Rulebooks
from api.fhir.elements import Resource, Version
from api.fhir.http import (
    AtBase,
    Forms,
    InJson,
    ResourceIn,
    ScreeningId,
    fhir_guarded,
    outcomes,
    resources,
    response_of,
    sent,
    version_headers,
    version_of,
)
from api.fhir.parsing.client_scores import differences
from api.fhir.parsing.response_to_intake import HERE, Received, received
from api.fhir.resources.operation_outcome import Issue, Outcome, all_is_well, operation_outcome
from api.fhir.search import id_named_by
from api.http.error_responses import TAKING
from api.problems import Problem
from api.store.idempotency import Answer
from api.store.screenings import screenings
from api.store.screenings.screenings import Kept
from api.store.screenings.versions import lineage
from api.store.transaction import Transaction
from schemas.patient import READABLE
from schemas.screening import Screening
from scoring.catalogue import Catalogue
from scoring.engine import assess

router = APIRouter(
    prefix=f"/fhir/{HERE}",
    tags=["FHIR"],
    route_class=fhir_guarded("screenings:write"),
    dependencies=[InJson],
)
Prefer = Annotated[
    str | None,
    Header(
        max_length=200,
        pattern=READABLE,
        description="`return=minimal`, `return=representation` or `return=OperationOutcome`.",
        examples=["return=representation"],
    ),
]
IfNoneExist = Annotated[
    str | None,
    Header(
        alias="If-None-Exist",
        max_length=1000,
        pattern=r"^\??identifier=([^|&\s]*\||[^|&\s]*%7[Cc])?[^|&\s]+$",
        description="`identifier=system|value`, the same as in the response.",
        examples=["identifier=urn:oid:1.2.3.4|response-1"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=200,
        pattern=READABLE,
        description="The ETag of the version to correct.",
        examples=['W/"1"'],
    ),
]
_KEPT_HEADERS = ("location", "idempotency-replayed")
_RETURN = re.compile(r"\breturn\s*=\s*\"?(minimal|representation|OperationOutcome)\b")


@router.post(
    "",
    operation_id="create_response",
    status_code=201,
    response_class=Response,
    responses={
        **resources(HERE, 201),
        200: {"description": "A response with this identifier exists; nothing was stored"},
        **outcomes(*TAKING, 406, 409, 412),
    },
    summary="Score and store a response",
)
def create(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    resource: ResourceIn,
    *,
    all_forms: Forms,
    rulebooks: Rulebooks,
    idempotent_request: Creating,
    urls: AtBase,
    if_none_exist: IfNoneExist = None,
    prefer: Prefer = None,
) -> Response:
    """Totals and weights computed by the client are ignored; each difference is a warning.

    Identifiers are unique: with `If-None-Exist`, a repeated create returns the first response.
    """
    intake = received(resource, all_forms, patient_needed=True)
    _check_if_none_exist(if_none_exist, intake)
    scored, warnings = _score(intake)

    def store(work: Transaction) -> Answer:
        screening_id = _derive_screening_id(work, intake)
        existing = _find_lineage(work, screening_id)  # looked up once, so both branches agree
        if existing is not None and if_none_exist is not None:
            work.audit("read", "screening", existing[0].id)
            return _build_answer(200, version_of(existing, rulebooks, urls), rulebooks)
        if existing is not None:
            issue = Issue("duplicate", "names a response that is kept", f"{HERE}.identifier")
            raise Outcome("conflict", [issue])
        screening = screenings.add(work, scored, named=screening_id)
        work.audit("create", "screening", screening.id)
        return _build_answer(201, version_of([screening], rulebooks, urls), rulebooks)

    try:
        response = idempotent_request.once(store)
    except Problem as problem:
        if problem.code != "conflict" or if_none_exist is None or isinstance(problem, Outcome):
            raise
        response = idempotent_request.once(store)  # a concurrent request has stored it by now
    return _apply_preference(response, prefer, warnings)


@router.put(
    "/{screening}",
    operation_id="update_response",
    response_class=Response,
    responses={**resources(HERE), **outcomes(*TAKING, 404, 406, 409, 412)},
    summary="Correct a response with a new version",
)
def update(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    *,
    resource: ResourceIn,
    context: Acting,
    all_forms: Forms,
    rulebooks: Rulebooks,
    urls: AtBase,
    if_match: IfMatch = None,
    prefer: Prefer = None,
) -> Response:
    """The correction is scored and stored as a new version; earlier versions stay readable."""
    intake = received(resource, all_forms, patient_needed=True)
    scored, warnings = _score(intake)
    with context.transaction() as work:
        versions = lineage(work, screening)
        _check_if_match(if_match, version_of(versions, rulebooks, urls))
        _check_identity(resource, intake, versions[0])
        amended = screenings.amend(work, versions[-1], scored)
        work.audit("amend", "screening", amended.id)
        answer = _build_answer(200, version_of([*versions, amended], rulebooks, urls), rulebooks)
    response = Response(answer.body, 200, {"Location": answer.location or ""})
    return _apply_preference(response, prefer, warnings)


def _score(response: Received) -> tuple[Kept, list[Issue]]:
    """Score a response; return the intake to store and a warning per differing client score."""
    assessment = assess(response.form.loaded, response.answers, attested=response.attested)
    warnings = differences(response.claims, response.form.loaded, assessment)
    context, patient = response.context, response.patient
    if context.fhir is None or patient is None:
        raise RuntimeError("a response to store must name its patient")
    texts = tuple(warning.text for warning in warnings)
    fhir = context.fhir.model_copy(update={"differences": texts})
    context = context.model_copy(update={"fhir": fhir})
    return Kept(patient, context, response.answers_as_sent, assessment, "fhir"), warnings


def _derive_screening_id(work: Transaction, response: Received) -> str | None:
    """Return the screening id that belongs to the response's identifier; None without one."""
    system, value = _own_identifier(response)
    return None if value is None else id_named_by(work, system, value)


def _own_identifier(response: Received) -> tuple[str | None, str | None]:
    fhir = response.context.fhir
    return (fhir.identifier_system, fhir.identifier_value) if fhir else (None, None)


def _find_lineage(work: Transaction, screening_id: str | None) -> list[Screening] | None:
    try:
        return lineage(work, screening_id) if screening_id is not None else None
    except Problem:
        return None


def _check_if_none_exist(if_none_exist: str | None, response: Received) -> None:
    """Require that `If-None-Exist` names the identifier of the response itself."""
    if if_none_exist is None:
        return
    query = unquote(if_none_exist.removeprefix("?").removeprefix("identifier="))
    system, _, value = query.rpartition("|")
    if _own_identifier(response) != (system or None, value):
        text = "must be the one that If-None-Exist names"
        raise Outcome("stale", [Issue("business-rule", text, f"{HERE}.identifier")])


def _check_if_match(if_match: str | None, current: Version) -> None:
    if if_match is None:
        raise Problem("no_version")
    if if_match.strip().removeprefix("W/").strip('"') != str(current.number):
        raise Problem("stale")


def _check_identity(resource: Resource, response: Received, first: Screening) -> None:
    """Require the id of the first version, and its identifier if it had one."""
    if resource.get("id", first.id) != first.id:
        text = "must be the id in the address"
        raise Outcome("wrong_shape", [Issue("invariant", text, f"{HERE}.id")])
    fhir = first.context.fhir
    original = (fhir.identifier_system, fhir.identifier_value) if fhir else (None, None)
    own = _own_identifier(response)
    if own != original and (own[1] is None or original[1] is not None):
        text = "must stay the one that the first version has"
        raise Outcome("conflict", [Issue("conflict", text, f"{HERE}.identifier")])


def _build_answer(status: int, version: Version, rulebooks: Catalogue) -> Answer:
    resource = response_of(version, rulebooks)
    location = f"{version.base.url}/{HERE}/{version.first}/_history/{version.number}"
    body = json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, body, location, version.screening.id)


def _apply_preference(response: Response, prefer: str | None, warnings: list[Issue]) -> Response:
    """Return the response in the form that `Prefer` names; by default with the resource."""
    resource: dict[str, Any] = json.loads(bytes(response.body))
    preference = _RETURN.search(prefer or "")
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    headers |= version_headers(resource)
    match preference[1] if preference else None:
        case "minimal":
            return Response(status_code=response.status_code, headers=headers)
        case "OperationOutcome":
            outcome = operation_outcome(warnings) if warnings else all_is_well()
            return sent(outcome, status=response.status_code, **headers)
    return sent(resource, status=response.status_code, **headers)
