"""Parses a QuestionnaireResponse into an intake: patient, answers and context."""

import re
from collections.abc import Iterable
from datetime import date, time
from typing import Any, NamedTuple

from pydantic import ValidationError

from api.fhir.elements import ID_PATTERN, Resource
from api.fhir.parsing.items import ClientScore, ParsedItems, parse_items
from api.fhir.questionnaire_catalogue import QuestionnaireForm
from api.fhir.resources.operation_outcome import InvalidResource, OutcomeIssue
from schemas.patient import AnsweredBy, Clinician, KnownPatient, find_day_fault
from schemas.screening import FhirContext, ScreeningContext
from scoring.answer_model import find_answer_model

RESPONSE_TYPE = "QuestionnaireResponse"
_ELEMENTS = {
    "resourceType",
    "id",
    "meta",
    "language",
    "text",
    "contained",
    "extension",
    "identifier",
    "basedOn",
    "partOf",
    "questionnaire",
    "status",
    "subject",
    "encounter",
    "authored",
    "author",
    "source",
    "item",
}
_LITERAL_REFERENCE = re.compile(
    rf"(?:(https?://\S{{1,150}})/)?([A-Z][A-Za-z]{{1,30}})/({ID_PATTERN})(/_history/{ID_PATTERN})?"
)
_YEAR_OR_MONTH = re.compile(r"\d{4}(-\d{2})?")
_DATE_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2}))?")
_ANSWERED_BY: dict[str, AnsweredBy] = {
    "Patient": "patient",
    "RelatedPerson": "proxy",
    "Practitioner": "clinician",
    "PractitionerRole": "clinician",
}


class ParsedResponse(NamedTuple):
    """A parsed response; `patient` is None if it has no subject."""

    form: QuestionnaireForm
    answers: dict[str, Any]
    answers_as_sent: dict[str, Any]
    patient: KnownPatient | None
    context: ScreeningContext
    claims: list[ClientScore]

    @property
    def is_attested(self) -> bool:
        """Whether the response names a clinician as its author."""
        return self.context.clinician is not None


class ParsedReference(NamedTuple):
    """The target of a Reference: literal parts, identifier and display."""

    kind: str | None
    literal: str | None
    base: str | None
    id: str | None
    system: str | None
    value: str | None
    display: str | None

    @property
    def identifying_value(self) -> str:
        """The identifier value, or else the logical id."""
        return self.value or self.id or ""


def parse_response(
    resource: Any, known_forms: Iterable[QuestionnaireForm], *, is_patient_required: bool
) -> ParsedResponse:
    """Parse a response to one of the known forms. Raises InvalidResource with every issue."""
    if not isinstance(resource, dict) or resource.get("resourceType") != RESPONSE_TYPE:
        raise InvalidResource(
            "invalid_request",
            [OutcomeIssue("structure", f"must be a {RESPONSE_TYPE}", "%resource.resourceType")],
        )
    issues = _check_elements(resource)
    form = _find_form(resource.get("questionnaire"), known_forms, issues)
    references = {
        name: _parse_reference(resource[name], f"{RESPONSE_TYPE}.{name}", issues)
        for name in ("subject", "encounter", "author", "source")
        if name in resource
    }
    patient = _build_patient(references, issues, needed=is_patient_required)
    for_patient = bool(form and form.for_patient)
    context = _build_context(resource, references, issues, for_patient=for_patient)
    items = ParsedItems({}, [], [])
    if form is not None and "item" in resource:
        items = parse_items(form, resource["item"])
    issues += items.issues
    if issues or form is None:
        raise InvalidResource("invalid_request", issues)
    model = _validate_answers(form, items.answers)
    return ParsedResponse(
        form,
        model.model_dump(exclude_none=True),
        model.model_dump(mode="json", exclude_unset=True),
        patient,
        context,
        items.claims,
    )


def _validate_answers(form: QuestionnaireForm, answers: dict[str, Any]) -> Any:
    """Validate the answers by the rulebook's own model, which has the last word."""
    try:
        return find_answer_model(form.loaded).model_validate(answers)
    except ValidationError:
        raise InvalidResource(
            "invalid_request",
            [OutcomeIssue("value", "contains invalid answers", f"{RESPONSE_TYPE}.item")],
        ) from None


def _check_elements(resource: Resource) -> list[OutcomeIssue]:
    issues: list[OutcomeIssue] = []
    for name, value in resource.items():
        if name.removeprefix("_") not in _ELEMENTS:
            text = "contains an unsupported element"
            issues.append(OutcomeIssue("structure", text, RESPONSE_TYPE))
        elif value in (None, "", [], {}):
            issues.append(OutcomeIssue("structure", "must not be empty", f"{RESPONSE_TYPE}.{name}"))
    if resource.get("status") not in ("completed", "amended"):
        text = "must be completed or amended: only completed responses are scored"
        issues.append(OutcomeIssue("business-rule", text, f"{RESPONSE_TYPE}.status"))
    return issues


def _find_form(
    canonical: Any, known_forms: Iterable[QuestionnaireForm], issues: list[OutcomeIssue]
) -> QuestionnaireForm | None:
    for form in known_forms:
        if form.canonical == canonical and form.entry.status == "active":
            return form
    text = "must be url|version of an active questionnaire of this server"
    issues.append(OutcomeIssue("not-found", text, f"{RESPONSE_TYPE}.questionnaire"))
    return None


def _parse_reference(value: Any, path: str, issues: list[OutcomeIssue]) -> ParsedReference | None:
    """Parse a Reference, which is literal or has an identifier."""
    members = value if isinstance(value, dict) else {}
    literal, identifier = members.get("reference"), members.get("identifier", {})
    match = _LITERAL_REFERENCE.fullmatch(literal) if isinstance(literal, str) else None
    if literal is not None and (match is None or len(literal) > 200):
        text = "must be a literal reference such as Patient/123, relative or with http(s)"
        issues.append(OutcomeIssue("value", text, f"{path}.reference"))
        return None
    identified = (
        _parse_identifier(identifier, f"{path}.identifier", issues) if identifier else (None, None)
    )
    if match is None and identified is not None and identified[1] is None:
        issues.append(OutcomeIssue("required", "must have a reference or an identifier", path))
    if identified is None:
        return None
    kind = match[2] if match else members.get("type")
    display = members.get("display")
    return ParsedReference(
        kind if isinstance(kind, str) else None,
        literal,
        match[1] if match else None,
        match[3] if match else None,
        *identified,
        display if isinstance(display, str) and 0 < len(display) <= 200 else None,
    )


def _parse_identifier(
    value: Any, path: str, issues: list[OutcomeIssue]
) -> tuple[str | None, str | None] | None:
    """Return system and value of an Identifier; None if it is invalid."""
    members = value if isinstance(value, dict) else {}
    system, number = members.get("system"), members.get("value")
    if not _is_short(number) or (system is not None and not _is_short(system)):
        text = "must have a value, and a system if any, of at most 200 characters each"
        issues.append(OutcomeIssue("value", text, path))
        return None
    return system, number


def _is_short(text: Any) -> bool:
    return isinstance(text, str) and len(text.strip()) > 0 and len(text) <= 200


def _build_patient(
    references: dict[str, ParsedReference | None], issues: list[OutcomeIssue], *, needed: bool
) -> KnownPatient | None:
    path = f"{RESPONSE_TYPE}.subject"
    if "subject" not in references:
        if needed:
            issues.append(
                OutcomeIssue(
                    "required", "is required: a stored response must name its patient", path
                )
            )
        return None
    subject, encounter = references["subject"], references.get("encounter")
    if subject is None:
        return None
    if subject.kind not in ("Patient", None):
        issues.append(OutcomeIssue("value", "must be a Patient", path))
    return KnownPatient(
        reference=subject.identifying_value or "-",
        system=subject.system if subject.value else subject.base,
        name=subject.display,
        encounter=encounter.identifying_value or None if encounter else None,
    )


def _build_context(
    resource: Resource,
    references: dict[str, ParsedReference | None],
    issues: list[OutcomeIssue],
    *,
    for_patient: bool,
) -> ScreeningContext:
    authored = resource.get("authored")
    has_day = not (isinstance(authored, str) and _YEAR_OR_MONTH.fullmatch(authored))
    day = _parse_day(authored if has_day else f"{authored}-01-01"[:10])
    if authored is not None and day is None:
        text = "must be a year, a month, a day, or an instant with its zone"
        issues.append(OutcomeIssue("value", text, f"{RESPONSE_TYPE}.authored"))
    if day is not None and (fault := find_day_fault(day)):
        issues.append(OutcomeIssue("value", fault, f"{RESPONSE_TYPE}.authored"))
    identifier = resource.get("identifier")
    identified = (
        _parse_identifier(identifier, f"{RESPONSE_TYPE}.identifier", issues) if identifier else None
    )
    subject, encounter = references.get("subject"), references.get("encounter")
    author, source = references.get("author"), references.get("source")
    respondent = source or author
    is_by_clinician = author and _ANSWERED_BY.get(author.kind or "") == "clinician"
    clinician = author if is_by_clinician else None
    return ScreeningContext(
        answered_on=day if has_day else None,
        answered_by=_ANSWERED_BY.get(respondent.kind or "") if respondent else None,
        clinician=Clinician(reference=clinician.identifying_value)
        if clinician and clinician.identifying_value
        else None,
        fhir=FhirContext(
            for_patient=for_patient,
            authored=authored if day else None,
            identifier_system=identified[0] if identified else None,
            identifier_value=identified[1] if identified else None,
            subject=subject.literal if subject else None,
            subject_identified=bool(subject and subject.value),
            encounter=encounter.literal if encounter else None,
            author=author.literal if author else None,
            source=source.literal if source else None,
        ),
    )


def _parse_day(authored: Any) -> date | None:
    match = _DATE_TIME.fullmatch(authored) if isinstance(authored, str) else None
    if match is None:
        return None
    try:
        if match[2]:
            time.fromisoformat(match[2][1:9])
        return date.fromisoformat(match[1])
    except ValueError:
        return None
