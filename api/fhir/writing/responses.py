"""Prepares the writes of QuestionnaireResponses: checked and scored before a transaction begins."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

from api.fhir.elements import CanonicalUrls, Resource, ResourceVersion
from api.fhir.parsing.client_scores import compare_client_scores
from api.fhir.parsing.received import is_same_content
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE, ParsedResponse, parse_response
from api.fhir.questionnaire_catalogue import QuestionnaireForm
from api.fhir.resources.operation_outcome import InvalidResource, OutcomeIssue
from api.fhir.search import derive_screening_id
from api.fhir.versions import build_response_resource, build_version
from api.fhir.writing.patch import apply_json_patch
from api.intakes.urgency import needs_alert
from api.problems import Problem
from api.store.errors import NotFoundError
from api.store.idempotency import IdempotentResponse
from api.store.notifications import occasions
from api.store.screenings import screenings
from api.store.screenings.scored_intake import ScoredIntake
from api.store.screenings.versions import list_versions
from api.store.transaction import Transaction
from schemas.patients.screening import Screening
from scoring.catalogue import Catalogue
from scoring.engine import assess

_WITHDRAWAL_REASON = "Marked as entered in error by an update of the FHIR response."


class Publication(NamedTuple):
    """What the service publishes: its questionnaires, their rulebooks and its addresses."""

    forms: list[QuestionnaireForm]
    rulebooks: Catalogue
    urls: CanonicalUrls


class ResponseWrite(NamedTuple):
    """A write that is ready for a transaction, and the warnings that its answer has."""

    store: Callable[[Transaction], IdempotentResponse]
    warnings: list[OutcomeIssue]


def prepare_create(
    resource: Resource, publication: Publication, if_none_exist: str | None = None
) -> ResponseWrite:
    """Prepare to store a response. Raises InvalidResource."""
    intake = parse_response(resource, publication.forms, is_patient_required=True)
    if if_none_exist is not None:
        _check_condition(if_none_exist, intake, "If-None-Exist")
    scored, warnings = _score(intake)

    def store(work: Transaction) -> IdempotentResponse:
        screening_id = _derive_screening_id(work, intake)
        existing = _find_lineage(work, screening_id)  # looked up once, so both branches agree
        if existing is not None and if_none_exist is not None:
            work.audit("read", "screening", existing[0].id)
            return _build_answer(200, existing, publication)
        if existing is not None:
            issue = OutcomeIssue(
                "duplicate", "is already used by a stored response", f"{RESPONSE_TYPE}.identifier"
            )
            raise InvalidResource("conflict", [issue])
        return _add(work, scored, screening_id, publication)

    return ResponseWrite(store, warnings)


def prepare_update(
    screening: str, resource: Resource, publication: Publication, if_match: str | None
) -> ResponseWrite:
    """Prepare to correct or withdraw the response with this id. Raises InvalidResource."""
    if resource.get("status") == "entered-in-error":

        def withdraw(work: Transaction) -> IdempotentResponse:
            versions = list_versions(work, screening)
            _check_if_match(if_match, versions, publication)
            return _withdraw(work, versions, publication)

        return ResponseWrite(withdraw, [])
    intake = parse_response(resource, publication.forms, is_patient_required=True)
    scored, warnings = _score(intake)

    def store(work: Transaction) -> IdempotentResponse:
        versions = list_versions(work, screening)
        _check_if_match(if_match, versions, publication)
        return _correct(work, versions, publication, resource, intake, scored)

    return ResponseWrite(store, warnings)


def prepare_conditional_update(
    condition: str, resource: Resource, publication: Publication, if_match: str | None
) -> ResponseWrite:
    """Prepare to store a response or correct the one with its identifier. Raises InvalidResource.

    `If-Match` is optional: the condition already says which response is meant.
    """
    is_withdrawal = resource.get("status") == "entered-in-error"
    content = resource | {"status": "completed"} if is_withdrawal else resource
    intake = parse_response(content, publication.forms, is_patient_required=True)
    _check_condition(condition, intake, "the condition")
    scored, warnings = _score(intake)

    def store(work: Transaction) -> IdempotentResponse:
        screening_id = _derive_screening_id(work, intake)
        versions = _find_lineage(work, screening_id)
        if if_match is not None:
            _check_if_match(if_match, versions or [], publication)
        if versions is None and not is_withdrawal:
            return _add(work, scored, screening_id, publication)
        if versions is None:
            raise NotFoundError
        if is_withdrawal:
            return _withdraw(work, versions, publication)
        return _correct(work, versions, publication, resource, intake, scored)

    return ResponseWrite(store, warnings)


def prepare_patch(
    current: ResourceVersion,
    operations: list[Any],
    publication: Publication,
    if_match: str | None,
) -> ResponseWrite:
    """Prepare to correct a response by a JSON Patch of its current version. Raises Problem."""
    check_if_match(if_match, current.number)
    resource = build_response_resource(current, publication.rulebooks)
    patched = apply_json_patch(resource, operations)
    return prepare_update(current.logical_id, patched, publication, if_match)


def _add(
    work: Transaction, scored: ScoredIntake, screening_id: str | None, publication: Publication
) -> IdempotentResponse:
    screening = screenings.add_screening(work, scored, requested_id=screening_id)
    if needs_alert(publication.rulebooks, screening):
        occasions.announce_screening(work, screening, is_urgent=True)
    work.audit("create", "screening", screening.id)
    return _build_answer(201, [screening], publication)


def _correct(  # noqa: PLR0913, PLR0917 - the stored and the received, parsed and scored
    work: Transaction,
    versions: list[Screening],
    publication: Publication,
    resource: Resource,
    intake: ParsedResponse,
    scored: ScoredIntake,
) -> IdempotentResponse:
    """Store the correction as a new version; content that is the same changes nothing."""
    current = build_version(versions, publication.rulebooks, publication.urls)
    current_resource = build_response_resource(current, publication.rulebooks)
    _check_identity(resource, intake, versions[0])
    if is_same_content(resource, current_resource):
        work.audit("read", "screening", versions[0].id)
        return _build_answer(200, versions, publication)
    scored = _keep_unsent(scored, current, resource, current_resource)
    amended = screenings.amend_screening(work, versions[-1], scored)
    work.audit("amend", "screening", amended.id)
    return _build_answer(200, [*versions, amended], publication)


def _withdraw(
    work: Transaction, versions: list[Screening], publication: Publication
) -> IdempotentResponse:
    if versions[-1].entered_in_error is None:
        error = screenings.mark_entered_in_error(work, versions[-1], _WITHDRAWAL_REASON)
        work.audit("enter_in_error", "screening", versions[-1].id)
        versions[-1] = versions[-1].model_copy(update={"entered_in_error": error})
    else:
        work.audit("read", "screening", versions[0].id)
    return _build_answer(200, versions, publication)


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


def _check_condition(condition: str, response: ParsedResponse, name: str) -> None:
    """Require that a condition names the identifier of the response itself."""
    query = unquote(condition.removeprefix("?").removeprefix("identifier="))
    system, _, value = query.rpartition("|")
    if _own_identifier(response) != (system or None, value):
        text = f"must match {name}"
        raise InvalidResource(
            "version_mismatch", [OutcomeIssue("business-rule", text, f"{RESPONSE_TYPE}.identifier")]
        )


def _check_if_match(
    if_match: str | None, versions: list[Screening], publication: Publication
) -> None:
    number = 0
    if versions:
        number = build_version(versions, publication.rulebooks, publication.urls).number
    check_if_match(if_match, number)


def check_if_match(if_match: str | None, number: int) -> None:
    """Raise Problem unless `If-Match` names the version with this number."""
    if if_match is None:
        raise Problem("if_match_required")
    if if_match.strip().removeprefix("W/").strip('"') != str(number):
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
    status: int, versions: list[Screening], publication: Publication
) -> IdempotentResponse:
    version = build_version(versions, publication.rulebooks, publication.urls)
    resource = build_response_resource(version, publication.rulebooks)
    location = (
        f"{version.urls.fhir_url}/{RESPONSE_TYPE}/{version.logical_id}/_history/{version.number}"
    )
    body = json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
    return IdempotentResponse(status, body, location, version.screening.id)
