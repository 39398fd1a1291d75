"""What a write of a response needs: what is published, its conditions, and the id it will have."""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from api.fhir.elements import CanonicalUrls, Resource
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE, ParsedResponse
from api.fhir.questionnaire_catalogue import QuestionnaireForm
from api.fhir.resources.operation_outcome import InvalidResource, OutcomeIssue
from api.fhir.search import derive_screening_id
from api.problems import Problem
from api.store.idempotency import IdempotentResponse
from api.store.screenings.scored_intake import ScoredIntake
from api.store.transaction import Transaction
from schemas.patients.patient import KnownPatient
from schemas.patients.response_drafts import DraftContent
from scoring.catalogue import Catalogue

Identifier = tuple[str | None, str | None]
"""System and value; neither for a response without an identifier."""


class Publication(NamedTuple):
    """What the service publishes: its questionnaires, their rulebooks and its addresses."""

    forms: list[QuestionnaireForm]
    rulebooks: Catalogue
    urls: CanonicalUrls


class ResponseWrite(NamedTuple):
    """A write that is ready for a transaction, and the warnings that its answer has."""

    store: Callable[[Transaction], IdempotentResponse]
    warnings: list[OutcomeIssue]


class PreparedContent(NamedTuple):
    """A response as it was received, its intake, and what is to be stored of it."""

    resource: Resource
    intake: ParsedResponse
    content: ScoredIntake | DraftContent


def derive_response_id(work: Transaction, response: ParsedResponse) -> str | None:
    """Return the id that belongs to the response's identifier; None without one."""
    system, value = read_own_identifier(response)
    return None if value is None else derive_screening_id(work, system, value)


def read_own_identifier(response: ParsedResponse) -> Identifier:
    """Return system and value of the response's identifier."""
    fhir = response.context.fhir
    return (fhir.identifier_system, fhir.identifier_value) if fhir else (None, None)


def check_condition(condition: str, response: ParsedResponse, name: str) -> None:
    """Require that a condition names the identifier of the response itself."""
    query = unquote(condition.removeprefix("?").removeprefix("identifier="))
    system, _, value = query.rpartition("|")
    if read_own_identifier(response) != (system or None, value):
        text = f"must match {name}"
        raise InvalidResource(
            "version_mismatch", [OutcomeIssue("business-rule", text, f"{RESPONSE_TYPE}.identifier")]
        )


def check_if_match(if_match: str | None, version_id: str | int) -> None:
    """Raise Problem unless `If-Match` names this version."""
    if if_match is None:
        raise Problem("if_match_required")
    if if_match.strip().removeprefix("W/").strip('"') != str(version_id):
        raise Problem("version_mismatch")


def check_identity(prepared: PreparedContent, response_id: str, original: Identifier) -> None:
    """Require the id of the response that is stored, and its identifier if it had one."""
    check_same_id(prepared.resource.get("id", response_id), response_id)
    if original[1] is not None and read_own_identifier(prepared.intake) != original:
        text = "must be the same as in the first version"
        issue = OutcomeIssue("conflict", text, f"{RESPONSE_TYPE}.identifier")
        raise InvalidResource("conflict", [issue])


def keep_patient(
    prepared: PreparedContent, current: Resource, patient: KnownPatient
) -> KnownPatient:
    """Return the patient of a changed response: the stored one where its subject is the same.

    What was sent may name them by a number that was merged since.
    """
    sender_patient = prepared.intake.patient
    if sender_patient is None:
        raise TypeError("a response to store must name its patient")
    if prepared.resource.get("subject") != current["subject"]:
        return sender_patient
    return patient.model_copy(update={"encounter": sender_patient.encounter})


def check_same_id(sent_id: object, response_id: str) -> None:
    """Raise InvalidResource unless a resource that was sent has the id in the URL."""
    if sent_id != response_id:
        issue = OutcomeIssue("invariant", "must be the id in the URL", f"{RESPONSE_TYPE}.id")
        raise InvalidResource("invalid_request", [issue])
