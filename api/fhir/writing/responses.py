"""Prepares the writes of QuestionnaireResponses: checked and scored before a transaction begins."""

from typing import Any

from api.fhir.elements import Resource
from api.fhir.parsing.client_scores import compare_client_scores
from api.fhir.parsing.response_to_intake import (
    COMPLETED,
    IN_PROGRESS,
    RESPONSE_TYPE,
    ParsedResponse,
    parse_response,
)
from api.fhir.resources.draft_response import build_draft_response
from api.fhir.resources.operation_outcome import InvalidResource, OutcomeIssue
from api.fhir.writing.drafts import (
    add_draft,
    build_draft_answer,
    build_draft_content,
    change_draft,
    check_draft_identity,
    check_draft_version,
    discard_draft,
    find_own_draft,
    is_in_progress,
)
from api.fhir.writing.patch import apply_json_patch
from api.fhir.writing.prepared_write import (
    PreparedContent,
    Publication,
    ResponseWrite,
    check_condition,
    check_if_match,
    derive_response_id,
    keep_patient,
)
from api.fhir.writing.stored_responses import (
    add_response,
    build_answer,
    check_version,
    correct_response,
    find_lineage,
    withdraw_response,
)
from api.store.errors import NotFoundError
from api.store.forms import response_drafts
from api.store.idempotency import IdempotentResponse
from api.store.screenings.scored_intake import ScoredIntake
from api.store.screenings.versions import list_versions
from api.store.transaction import Transaction
from schemas.patients.response_drafts import DraftContent, ResponseDraft
from schemas.patients.screening import Screening
from scoring.engine import assess


def prepare_create(
    resource: Resource, publication: Publication, if_none_exist: str | None = None
) -> ResponseWrite:
    """Prepare to store a response. Raises InvalidResource."""
    prepared, warnings = _prepare(resource, publication)
    if if_none_exist is not None:
        check_condition(if_none_exist, prepared.intake, "If-None-Exist")

    def store(work: Transaction) -> IdempotentResponse:
        response_id = derive_response_id(work, prepared.intake)
        existing = _find_existing(work, response_id, publication)
        if existing is not None and if_none_exist is not None:
            return existing
        if existing is not None:
            raise _refuse_duplicate()
        return _add(work, response_id, prepared, publication)

    return ResponseWrite(store, warnings)


def prepare_update(
    screening: str, resource: Resource, publication: Publication, if_match: str | None
) -> ResponseWrite:
    """Prepare to change, correct or withdraw the response with this id. Raises InvalidResource."""
    if resource.get("status") == "entered-in-error":

        def withdraw(work: Transaction) -> IdempotentResponse:
            draft = find_own_draft(work, screening)
            if draft is not None:
                check_draft_version(if_match, draft)
                return discard_draft(work, draft, publication)
            versions = list_versions(work, screening)
            check_version(if_match, versions, publication)
            return withdraw_response(work, versions, publication)

        return ResponseWrite(withdraw, [])
    prepared, warnings = _prepare(resource, publication)

    def store(work: Transaction) -> IdempotentResponse:
        draft = find_own_draft(work, screening)
        if draft is not None:
            check_draft_version(if_match, draft)
            return _change_draft(work, draft, prepared, publication)
        versions = list_versions(work, screening)
        check_version(if_match, versions, publication)
        return _correct(work, versions, prepared, publication)

    return ResponseWrite(store, warnings)


def prepare_conditional_update(
    condition: str, resource: Resource, publication: Publication, if_match: str | None
) -> ResponseWrite:
    """Prepare to store a response or correct the one with its identifier. Raises InvalidResource.

    `If-Match` is optional: the condition already says which response is meant.
    """
    is_withdrawal = resource.get("status") == "entered-in-error"
    content = resource | {"status": "completed"} if is_withdrawal else resource
    prepared, warnings = _prepare(content, publication)
    check_condition(condition, prepared.intake, "the condition")

    def store(work: Transaction) -> IdempotentResponse:
        response_id = derive_response_id(work, prepared.intake)
        draft = find_own_draft(work, response_id)
        if draft is not None:
            if if_match is not None:
                check_draft_version(if_match, draft)
            if is_withdrawal:
                return discard_draft(work, draft, publication)
            return _change_draft(work, draft, prepared, publication)
        versions = find_lineage(work, response_id)
        if if_match is not None:
            check_version(if_match, versions or [], publication)
        if versions is None and is_withdrawal:
            raise NotFoundError
        if versions is None:
            return _add(work, response_id, prepared, publication)
        if is_withdrawal:
            return withdraw_response(work, versions, publication)
        return _correct(work, versions, prepared, publication)

    return ResponseWrite(store, warnings)


def prepare_patch(
    current: Resource, operations: list[Any], publication: Publication, if_match: str | None
) -> ResponseWrite:
    """Prepare to change a response by a JSON Patch of its current version. Raises Problem."""
    check_if_match(if_match, current["meta"]["versionId"])
    patched = apply_json_patch(current, operations)
    return prepare_update(current["id"], patched, publication, if_match)


def _prepare(
    resource: Resource, publication: Publication
) -> tuple[PreparedContent, list[OutcomeIssue]]:
    """Return what is to be stored of a response, scored if it is complete, and its warnings."""
    intake = parse_response(
        resource,
        publication.forms,
        is_patient_required=True,
        statuses=(*COMPLETED, IN_PROGRESS),
    )
    build_content = build_draft_content if is_in_progress(resource) else _score
    content, warnings = build_content(intake)
    return PreparedContent(resource, intake, content), warnings


def _find_existing(
    work: Transaction, response_id: str | None, publication: Publication
) -> IdempotentResponse | None:
    """Return the answer with the response that the caller has under this id, if there is one."""
    versions = find_lineage(work, response_id)
    if versions is not None:
        work.audit("read", "screening", versions[0].id)
        return build_answer(200, versions, publication)
    draft = find_own_draft(work, response_id)
    if draft is None:
        return None
    work.audit("read", "response_draft", draft.id)
    return build_draft_answer(200, draft, publication)


def _add(
    work: Transaction, response_id: str | None, prepared: PreparedContent, publication: Publication
) -> IdempotentResponse:
    if response_id is not None and response_drafts.has_draft(work, response_id):
        raise _refuse_duplicate()  # it is another client's
    if isinstance(prepared.content, DraftContent):
        return add_draft(work, response_id, prepared, publication)
    return add_response(work, prepared.content, response_id, publication)


def _correct(
    work: Transaction,
    versions: list[Screening],
    prepared: PreparedContent,
    publication: Publication,
) -> IdempotentResponse:
    if isinstance(prepared.content, DraftContent):
        text = "must be completed or amended: the response was completed"
        issue = OutcomeIssue("business-rule", text, f"{RESPONSE_TYPE}.status")
        raise InvalidResource("invalid_request", [issue])
    return correct_response(work, versions, prepared, publication)


def _change_draft(
    work: Transaction, draft: ResponseDraft, prepared: PreparedContent, publication: Publication
) -> IdempotentResponse:
    """Replace the content of a draft, or make a screening of it that has its id."""
    scored = prepared.content
    if isinstance(scored, DraftContent):
        return change_draft(work, draft, prepared, publication)
    check_draft_identity(draft, prepared)
    current = build_draft_response(draft, publication.urls)
    scored = scored._replace(patient=keep_patient(prepared, current, draft.patient))
    response_drafts.delete_drafts(work, [draft.id])
    return add_response(work, scored, draft.id, publication, status_code=200)


def _refuse_duplicate() -> InvalidResource:
    issue = OutcomeIssue(
        "duplicate", "is already used by a stored response", f"{RESPONSE_TYPE}.identifier"
    )
    return InvalidResource("conflict", [issue])


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
