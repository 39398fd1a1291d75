"""Stores scored responses: as new screenings, corrections and withdrawals."""

import json

from api.fhir.elements import Resource, ResourceVersion
from api.fhir.parsing.received import is_same_content
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE, ParsedResponse
from api.fhir.resources.operation_outcome import InvalidResource, OutcomeIssue
from api.fhir.versions import build_response_resource, build_version
from api.fhir.writing.prepared_write import (
    PreparedContent,
    Publication,
    check_if_match,
    check_same_id,
    read_own_identifier,
)
from api.intakes.urgency import needs_alert
from api.store.errors import NotFoundError
from api.store.idempotency import IdempotentResponse
from api.store.notifications import occasions
from api.store.screenings import screenings
from api.store.screenings.scored_intake import ScoredIntake
from api.store.screenings.versions import list_versions
from api.store.transaction import Transaction
from schemas.patients.screening import Screening

_WITHDRAWAL_REASON = "Marked as entered in error by an update of the FHIR response."


def add_response(
    work: Transaction,
    scored: ScoredIntake,
    screening_id: str | None,
    publication: Publication,
    status_code: int = 201,
) -> IdempotentResponse:
    """Store a new screening, and alert practitioners if its red flags are urgent."""
    screening = screenings.add_screening(work, scored, requested_id=screening_id)
    if needs_alert(publication.rulebooks, screening):
        occasions.announce_screening(work, screening, is_urgent=True)
    work.audit("create", "screening", screening.id)
    return build_answer(status_code, [screening], publication)


def correct_response(
    work: Transaction,
    versions: list[Screening],
    prepared: PreparedContent,
    publication: Publication,
) -> IdempotentResponse:
    """Store the correction as a new version; content that is the same changes nothing."""
    resource, intake, scored = prepared
    if not isinstance(scored, ScoredIntake):
        raise TypeError("a draft corrects nothing")
    current = build_version(versions, publication.rulebooks, publication.urls)
    current_resource = build_response_resource(current, publication.rulebooks)
    _check_identity(resource, intake, versions[0])
    if is_same_content(resource, current_resource):
        work.audit("read", "screening", versions[0].id)
        return build_answer(200, versions, publication)
    scored = _keep_unsent(scored, current, resource, current_resource)
    amended = screenings.amend_screening(work, versions[-1], scored)
    work.audit("amend", "screening", amended.id)
    return build_answer(200, [*versions, amended], publication)


def withdraw_response(
    work: Transaction, versions: list[Screening], publication: Publication
) -> IdempotentResponse:
    """Mark the response as entered in error, unless it is already."""
    if versions[-1].entered_in_error is None:
        error = screenings.mark_entered_in_error(work, versions[-1], _WITHDRAWAL_REASON)
        work.audit("enter_in_error", "screening", versions[-1].id)
        versions[-1] = versions[-1].model_copy(update={"entered_in_error": error})
    else:
        work.audit("read", "screening", versions[0].id)
    return build_answer(200, versions, publication)


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


def find_lineage(work: Transaction, screening_id: str | None) -> list[Screening] | None:
    """Return the versions of a response, oldest first; None if there is no such response."""
    try:
        return list_versions(work, screening_id) if screening_id is not None else None
    except NotFoundError:
        return None


def check_version(
    if_match: str | None, versions: list[Screening], publication: Publication
) -> None:
    """Raise Problem unless `If-Match` names the newest of these versions."""
    number = 0
    if versions:
        number = build_version(versions, publication.rulebooks, publication.urls).number
    check_if_match(if_match, number)


def _check_identity(resource: Resource, response: ParsedResponse, first: Screening) -> None:
    """Require the id of the first version, and its identifier if it had one."""
    check_same_id(resource.get("id", first.id), first.id)
    fhir = first.context.fhir
    original = (fhir.identifier_system, fhir.identifier_value) if fhir else (None, None)
    own = read_own_identifier(response)
    if own != original and (own[1] is None or original[1] is not None):
        text = "must be the same as in the first version"
        raise InvalidResource(
            "conflict", [OutcomeIssue("conflict", text, f"{RESPONSE_TYPE}.identifier")]
        )


def build_answer(
    status: int, versions: list[Screening], publication: Publication
) -> IdempotentResponse:
    """Return the answer with the newest version of a response."""
    version = build_version(versions, publication.rulebooks, publication.urls)
    resource = build_response_resource(version, publication.rulebooks)
    location = (
        f"{version.urls.fhir_url}/{RESPONSE_TYPE}/{version.logical_id}/_history/{version.number}"
    )
    body = json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
    return IdempotentResponse(status, body, location, version.screening.id)
