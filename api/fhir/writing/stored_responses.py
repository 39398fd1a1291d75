"""Stores scored responses: as new screenings, corrections and withdrawals."""

from api.fhir.parsing.received import is_same_content
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE
from api.fhir.versions import build_response_resource, build_version
from api.fhir.writing.prepared_write import (
    PreparedContent,
    Publication,
    check_identity,
    check_if_match,
    keep_patient,
)
from api.intakes.urgency import needs_alert
from api.store.errors import NotFoundError
from api.store.idempotency import IdempotentResponse
from api.store.notifications import occasions
from api.store.screenings import screenings
from api.store.screenings.scored_intake import ScoredIntake
from api.store.screenings.versions import list_versions
from api.store.transaction import Transaction
from schemas.base import encode_json
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
    if not isinstance(prepared.content, ScoredIntake):
        raise TypeError("a draft corrects nothing")
    first, current = versions[0], build_version(versions, publication.rulebooks, publication.urls)
    current_resource = build_response_resource(current, publication.rulebooks)
    fhir = first.context.fhir
    original = (fhir.identifier_system, fhir.identifier_value) if fhir else (None, None)
    check_identity(prepared, first.id, original)
    if is_same_content(prepared.resource, current_resource):
        work.audit("read", "screening", first.id)
        return build_answer(200, versions, publication)
    unsent = {"note": current.screening.context.note}  # FHIR has no place for it
    scored = prepared.content._replace(
        context=prepared.content.context.model_copy(update=unsent),
        patient=keep_patient(prepared, current_resource, current.screening.patient),
    )
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


def build_answer(
    status: int, versions: list[Screening], publication: Publication
) -> IdempotentResponse:
    """Return the answer with the newest version of a response."""
    version = build_version(versions, publication.rulebooks, publication.urls)
    resource = build_response_resource(version, publication.rulebooks)
    location = (
        f"{version.urls.fhir_url}/{RESPONSE_TYPE}/{version.logical_id}/_history/{version.number}"
    )
    body = encode_json(resource)
    return IdempotentResponse(status, body, location, version.screening.id)
