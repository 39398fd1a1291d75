"""Parses a QuestionnaireResponse into an intake: patient, answers and context."""

import re
from collections.abc import Iterable
from datetime import date, time
from typing import Any, NamedTuple

from pydantic import ValidationError

from api.fhir.elements import Resource
from api.fhir.parsing.items import ClientScore, ParsedItems, parse_items
from api.fhir.parsing.received import drop_empty, encode_received
from api.fhir.parsing.references import ParsedReference, ReferenceParser
from api.fhir.questionnaire_catalogue import QuestionnaireForm, find_named_form
from api.fhir.resources.operation_outcome import (
    InvalidResource,
    OutcomeIssue,
    locate_member,
)
from schemas.patients.patient import AnsweredBy, Clinician, KnownPatient, find_day_fault
from schemas.patients.screening import FhirContext, ScreeningContext
from scoring.answer_model import find_answer_model

RESPONSE_TYPE = "QuestionnaireResponse"
IN_PROGRESS = "in-progress"
COMPLETED = ("completed", "amended")
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
_SHAPES = {
    "id": str,
    "meta": dict,
    "language": str,
    "text": dict,
    "contained": list,
    "extension": list,
    "basedOn": list,
    "partOf": list,
}
"""The types of the elements that are kept as they are sent; others are read where they are used."""
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
    warnings: list[OutcomeIssue]

    @property
    def is_attested(self) -> bool:
        """Whether the response names a clinician as its author."""
        return self.context.clinician is not None


def parse_response(
    resource: Any,
    known_forms: Iterable[QuestionnaireForm],
    *,
    is_patient_required: bool,
    statuses: tuple[str, ...] = COMPLETED,
) -> ParsedResponse:
    """Parse a response to one of the known forms. Raises InvalidResource with every issue."""
    if not isinstance(resource, dict) or resource.get("resourceType") != RESPONSE_TYPE:
        raise InvalidResource(
            "invalid_request",
            [OutcomeIssue("structure", f"must be a {RESPONSE_TYPE}", "%resource.resourceType")],
        )
    warnings: list[OutcomeIssue] = []
    resource = drop_empty(resource, warnings)
    issues = _check_elements(resource, statuses)
    form = _find_form(resource.get("questionnaire"), known_forms, issues)
    parser = ReferenceParser(resource, issues)
    references = {
        name: parser.parse(name, is_identifying=name == "subject")
        for name in ("subject", "encounter", "author", "source")
    }
    patient = _build_patient(resource, references, issues, needed=is_patient_required)
    identifier_system, identifier_value = parser.parse_own_identifier()
    for_patient = bool(form and form.for_patient)
    context = _build_context(resource, references, issues, for_patient=for_patient)
    items = ParsedItems({}, [], [])
    if form is not None and "item" in resource:
        items = parse_items(form, resource["item"])
    issues += [issue for issue in items.issues if issue.severity == "error"]
    warnings += [issue for issue in items.issues if issue.severity != "error"]
    if issues or form is None:
        raise InvalidResource("invalid_request", issues)
    model = _validate_answers(form, items.answers)
    return ParsedResponse(
        form,
        model.model_dump(exclude_none=True),
        model.model_dump(mode="json", exclude_unset=True),
        patient,
        _extend_context(
            context,
            identifier_system=identifier_system,
            identifier_value=identifier_value,
            orders=tuple(parser.list_numbers("basedOn")),
            received=encode_received(resource),
        ),
        items.claims,
        warnings,
    )


def parse_subject(subject: Any) -> KnownPatient:
    """Return the patient that a Reference names. Raises InvalidResource."""
    issues: list[OutcomeIssue] = []
    resource = {"resourceType": "Parameters", "subject": subject}
    reference = ReferenceParser(resource, issues).parse("subject", is_identifying=True)
    patient = _build_patient(resource, {"subject": reference}, issues, needed=True)
    if issues or patient is None:
        text = "subject must be the Reference of a Patient, literal or with an identifier"
        issue = OutcomeIssue("value", text, "Parameters.parameter")
        raise InvalidResource("invalid_request", [issue])
    return patient


def _extend_context(context: ScreeningContext, **additions: Any) -> ScreeningContext:
    """Return the context with what is kept of the response besides its people and its date."""
    if context.fhir is None:
        return context
    return context.model_copy(update={"fhir": context.fhir.model_copy(update=additions)})


def _validate_answers(form: QuestionnaireForm, answers: dict[str, Any]) -> Any:
    """Validate the answers by the rulebook's own model, which has the last word."""
    try:
        return find_answer_model(form.loaded).model_validate(answers)
    except ValidationError:
        raise InvalidResource(
            "invalid_request",
            [OutcomeIssue("value", "contains invalid answers", f"{RESPONSE_TYPE}.item")],
        ) from None


def _check_elements(resource: Resource, statuses: tuple[str, ...]) -> list[OutcomeIssue]:
    issues: list[OutcomeIssue] = []
    for name, value in resource.items():
        if name.removeprefix("_") not in _ELEMENTS:
            text = "is no element of R4, or changes what others mean"
            issues.append(OutcomeIssue("structure", text, locate_member(RESPONSE_TYPE, name)))
        elif not _has_shape(_SHAPES.get(name), value):
            text = "must be a list of objects, an object or a text, as in R4"
            issues.append(OutcomeIssue("structure", text, f"{RESPONSE_TYPE}.{name}"))
    meta = resource.get("meta")
    labels = meta if isinstance(meta, dict) else {}
    for name in ("security", "tag"):
        if not _has_shape(list, labels.get(name, [])):
            text = "must be a list of Codings"
            issues.append(OutcomeIssue("structure", text, f"{RESPONSE_TYPE}.meta.{name}"))
    if resource.get("status") not in statuses:
        text = f"must be {', '.join(statuses[:-1])} or {statuses[-1]}"
        text += "" if IN_PROGRESS in statuses else ": only completed responses are scored"
        issues.append(OutcomeIssue("business-rule", text, f"{RESPONSE_TYPE}.status"))
    return issues


def _has_shape(shape: type | None, value: Any) -> bool:
    """Return whether a value is of this type, and a list has only objects."""
    if shape is list:
        return isinstance(value, list) and all(isinstance(item, dict) for item in value)
    return shape is None or isinstance(value, shape)


def _find_form(
    canonical: Any, known_forms: Iterable[QuestionnaireForm], issues: list[OutcomeIssue]
) -> QuestionnaireForm | None:
    form = find_named_form(list(known_forms), canonical) if isinstance(canonical, str) else None
    if form is None:
        text = "must be the url, or url|version, of a questionnaire of this server"
        issues.append(OutcomeIssue("not-found", text, f"{RESPONSE_TYPE}.questionnaire"))
    return form


def _build_patient(
    resource: Resource,
    references: dict[str, ParsedReference | None],
    issues: list[OutcomeIssue],
    *,
    needed: bool,
) -> KnownPatient | None:
    path = f"{RESPONSE_TYPE}.subject"
    if "subject" not in resource:
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
