"""Writes responses in progress as drafts, unscored and readable by the client that sent them."""

import json
from uuid import uuid4

from pydantic import MISSING

from api.fhir.elements import Resource
from api.fhir.parsing.received import is_same_content
from api.fhir.parsing.response_to_intake import IN_PROGRESS, RESPONSE_TYPE, ParsedResponse
from api.fhir.resources.draft_response import build_draft_response, build_draft_version
from api.fhir.resources.operation_outcome import OutcomeIssue
from api.fhir.resources.questionnaire_response import name_form
from api.fhir.writing.prepared_write import (
    PreparedContent,
    Publication,
    check_identity,
    check_if_match,
    keep_patient,
)
from api.store.errors import NotFoundError
from api.store.forms import response_drafts
from api.store.idempotency import IdempotentResponse
from api.store.transaction import Transaction
from reports.view.editions import is_confidential
from schemas.assessments.assessment import Assessment
from schemas.base import encode_json
from schemas.patients.patient import KnownPatient
from schemas.patients.response_drafts import AttainableRange, DraftContent, ResponseDraft
from scoring.common_rules.safety import NO_TIER
from scoring.engine import assess

_INFORMATION = (
    "is a draft: it is not scored, only this client can read it, and it is erased "
    f"{response_drafts.RETENTION.days} days after its last change"
)
_RED_FLAG = "has a red flag already, and no practitioner is alerted before it is completed"


def is_in_progress(resource: Resource) -> bool:
    """Return whether a response says that it is not complete."""
    return resource.get("status") == IN_PROGRESS


def find_own_draft(work: Transaction, response_id: str | None) -> ResponseDraft | None:
    """Return the draft of the caller with this id, if there is one."""
    try:
        return response_drafts.find_draft(work, response_id) if response_id else None
    except NotFoundError:
        return None


def build_draft_content(intake: ParsedResponse) -> tuple[DraftContent, list[OutcomeIssue]]:
    """Return what is stored of a response in progress, and what its sender must know."""
    assessment = assess(intake.form.loaded, intake.answers, attested=intake.is_attested)
    received = intake.context.fhir and intake.context.fhir.received
    elements = json.loads(received or "{}")
    elements["questionnaire"] = name_form(intake.form, elements.get("questionnaire", ""))
    rulebook = intake.form.loaded.rulebook
    content = DraftContent(
        received=encode_json(elements).decode(),
        canonical=intake.form.canonical,
        instrument=rulebook.rulebook.instrument,
        ranges=_list_ranges(assessment),
        tier=assessment.safety.tier,
        confidential=is_confidential(rulebook, assessment),
    )
    place = f"{RESPONSE_TYPE}.status"
    issues = [OutcomeIssue("informational", _INFORMATION, place, severity="information")]
    if content.tier != NO_TIER:
        issues.append(OutcomeIssue("business-rule", _RED_FLAG, place, severity="warning"))
    return content, [*intake.warnings, *issues]


def add_draft(
    work: Transaction, draft_id: str | None, prepared: PreparedContent, publication: Publication
) -> IdempotentResponse:
    """Store a new draft."""
    patient, content = _read_prepared(prepared)
    draft = response_drafts.add_draft(work, draft_id or str(uuid4()), patient, content)
    work.audit("create", "response_draft", draft.id)
    return build_draft_answer(201, draft, publication)


def change_draft(
    work: Transaction, draft: ResponseDraft, prepared: PreparedContent, publication: Publication
) -> IdempotentResponse:
    """Replace the content of a draft; content that is the same changes nothing."""
    check_draft_identity(draft, prepared)
    current = build_draft_response(draft, publication.urls)
    if is_same_content(prepared.resource, current):
        work.audit("read", "response_draft", draft.id)
        return build_draft_answer(200, draft, publication)
    _, content = _read_prepared(prepared)
    patient = keep_patient(prepared, current, draft.patient)
    changed = response_drafts.replace_draft(work, draft, patient, content)
    work.audit("amend", "response_draft", draft.id)
    return build_draft_answer(200, changed, publication)


def discard_draft(
    work: Transaction, draft: ResponseDraft, publication: Publication
) -> IdempotentResponse:
    """Erase a draft that was entered in error, and return it once more."""
    response_drafts.delete_drafts(work, [draft.id])
    work.withdraw("response_draft", draft.id)
    work.audit("erase", "response_draft", draft.id)
    return build_draft_answer(200, draft, publication, status="entered-in-error")


def check_draft_version(if_match: str | None, draft: ResponseDraft) -> None:
    """Raise Problem unless `If-Match` names the version of the draft."""
    check_if_match(if_match, build_draft_version(draft))


def check_draft_identity(draft: ResponseDraft, prepared: PreparedContent) -> None:
    """Require the id of the draft, and its identifier if it had one."""
    identifier = json.loads(draft.received).get("identifier") or {}
    check_identity(prepared, draft.id, (identifier.get("system"), identifier.get("value")))


def build_draft_answer(
    status_code: int, draft: ResponseDraft, publication: Publication, **elements: str
) -> IdempotentResponse:
    """Return the answer with this draft."""
    resource = build_draft_response(draft, publication.urls) | elements
    body = encode_json(resource)
    location = f"{publication.urls.fhir_url}/{RESPONSE_TYPE}/{draft.id}"
    return IdempotentResponse(status_code, body, location)


def _read_prepared(prepared: PreparedContent) -> tuple[KnownPatient, DraftContent]:
    patient, content = prepared.intake.patient, prepared.content
    if patient is None or not isinstance(content, DraftContent):
        raise TypeError("a draft must name its patient, and is not scored")
    return patient, content


def _list_ranges(assessment: Assessment) -> tuple[AttainableRange, ...]:
    """Return what each total can still become; nothing if the score is withheld."""
    ranges = []
    for name, total in (assessment.totals or {}).items():
        bands = None if total.band_range is MISSING else total.band_range
        ranges.append(
            AttainableRange(
                total=name,
                least=total.range.least,
                most=total.range.most,
                least_band=bands.least if bands else None,
                most_band=bands.most if bands else None,
            )
        )
    return tuple(ranges)
