"""A QuestionnaireResponse in, an intake out: whom it is about, what was answered, by whom, when."""

import re
from collections.abc import Iterable
from datetime import date, time
from typing import Any, NamedTuple

from pydantic import ValidationError

from api.fhir.elements import ID, Resource
from api.fhir.parsing.items import Answered, Claim, answered
from api.fhir.questionnaire_catalogue import Form
from api.fhir.resources.operation_outcome import Issue, Outcome
from schemas.patient import AnsweredBy, Clinician, KnownPatient, day_fault
from schemas.screening import Context, FhirContext
from scoring.answer_model import answer_model

HERE = "QuestionnaireResponse"
_KNOWN = {
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
_LITERAL = re.compile(
    rf"(?:(https?://\S{{1,150}})/)?([A-Z][A-Za-z]{{1,30}})/({ID})(/_history/{ID})?"
)
_PART_OF_A_DAY = re.compile(r"\d{4}(-\d{2})?")
_DATE_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2}))?")
_ANSWERED_BY: dict[str, AnsweredBy] = {
    "Patient": "patient",
    "RelatedPerson": "proxy",
    "Practitioner": "clinician",
    "PractitionerRole": "clinician",
}


class Received(NamedTuple):
    """What a response holds. `patient` is None where it names nobody."""

    form: Form
    answers: dict[str, Any]
    answers_as_sent: dict[str, Any]
    patient: KnownPatient | None
    context: Context
    claims: list[Claim]

    @property
    def attested(self) -> bool:
        """Whether a clinician is named."""
        return self.context.clinician is not None


class Named(NamedTuple):
    """Whom or what a Reference names."""

    kind: str | None
    literal: str | None
    base: str | None
    id: str | None
    system: str | None
    value: str | None
    display: str | None

    @property
    def name(self) -> str:
        """The number that it is known by."""
        return self.value or self.id or ""


def received(resource: Any, known: Iterable[Form], *, patient_needed: bool) -> Received:
    """The intake in the response. Raises Outcome with every finding, by its path."""
    issues: list[Issue] = []
    if not isinstance(resource, dict) or resource.get("resourceType") != HERE:
        raise Outcome(
            "wrong_shape", [Issue("structure", f"must be a {HERE}", "%resource.resourceType")]
        )
    issues += _elements(resource)
    form = _form(resource.get("questionnaire"), known, issues)
    people = {
        name: _named(resource[name], f"{HERE}.{name}", issues)
        for name in ("subject", "encounter", "author", "source")
        if name in resource
    }
    patient = _patient(people, issues, needed=patient_needed)
    context = _context(resource, people, issues, for_patient=bool(form and form.for_patient))
    told = Answered({}, [], [])
    if form is not None and "item" in resource:
        told = answered(form, resource["item"])
    issues += told.issues
    if issues or form is None:
        raise Outcome("wrong_shape", issues)
    model = _checked(form, told.answers)
    return Received(
        form,
        model.model_dump(exclude_none=True),
        model.model_dump(mode="json", exclude_unset=True),
        patient,
        context,
        told.claims,
    )


def _checked(form: Form, answers: dict[str, Any]) -> Any:
    """The answers as the rulebook's own model holds them: the last word on what is an answer."""
    try:
        return answer_model(form.loaded.rulebook).model_validate(answers)
    except ValidationError:
        raise Outcome("wrong_shape", [Issue("value", "holds no answers", f"{HERE}.item")]) from None


def _elements(resource: Resource) -> list[Issue]:
    issues = []
    for name, value in resource.items():
        if name.removeprefix("_") not in _KNOWN:
            text = "holds an element that is not known, or that changes what the others mean"
            issues.append(Issue("structure", text, HERE))
        elif value in (None, "", [], {}):
            issues.append(Issue("structure", "must not be empty", f"{HERE}.{name}"))
    if resource.get("status") not in ("completed", "amended"):
        text = "must be completed or amended: only what is finished is scored"
        issues.append(Issue("business-rule", text, f"{HERE}.status"))
    return issues


def _form(canonical: Any, known: Iterable[Form], issues: list[Issue]) -> Form | None:
    found = [
        each for each in known if each.canonical == canonical and each.entry.status == "active"
    ]
    if found:
        return found[0]
    text = "must be url|version of a questionnaire that is published here and active"
    issues.append(Issue("not-found", text, f"{HERE}.questionnaire"))
    return None


def _named(value: Any, path: str, issues: list[Issue]) -> Named | None:
    """Whom a Reference names, literally or by an identifier."""
    given = value if isinstance(value, dict) else {}
    literal, identifier = given.get("reference"), given.get("identifier", {})
    found = _LITERAL.fullmatch(literal) if isinstance(literal, str) else None
    if literal is not None and (found is None or len(literal) > 200):
        text = "must be a literal reference such as Patient/123, relative or with http(s)"
        issues.append(Issue("value", text, f"{path}.reference"))
        return None
    number = _identifier(identifier, f"{path}.identifier", issues) if identifier else (None, None)
    if found is None and number is not None and number[1] is None:
        issues.append(Issue("required", "must have a reference or an identifier", path))
    if number is None:
        return None
    kind = found[2] if found else given.get("type")
    display = given.get("display")
    return Named(
        kind if isinstance(kind, str) else None,
        literal,
        found[1] if found else None,
        found[3] if found else None,
        *number,
        display if isinstance(display, str) and 0 < len(display) <= 200 else None,
    )


def _identifier(value: Any, path: str, issues: list[Issue]) -> tuple[str | None, str | None] | None:
    """System and value of an Identifier."""
    given = value if isinstance(value, dict) else {}
    system, number = given.get("system"), given.get("value")
    if not _is_short(number) or (system is not None and not _is_short(system)):
        text = "must have a value, and a system if any, of at most 200 characters each"
        issues.append(Issue("value", text, path))
        return None
    return system, number


def _is_short(text: Any) -> bool:
    return isinstance(text, str) and len(text.strip()) > 0 and len(text) <= 200


def _patient(
    people: dict[str, Named | None], issues: list[Issue], *, needed: bool
) -> KnownPatient | None:
    path = f"{HERE}.subject"
    if "subject" not in people:
        if needed:
            issues.append(
                Issue("required", "must name the patient: what is kept is kept on one", path)
            )
        return None
    subject, encounter = people["subject"], people.get("encounter")
    if subject is None:
        return None
    if subject.kind not in ("Patient", None):
        issues.append(Issue("value", "must be a Patient", path))
    return KnownPatient(
        reference=subject.name or "-",
        system=subject.system if subject.value else subject.base,
        name=subject.display,
        encounter=encounter.name or None if encounter else None,
    )


def _context(
    resource: Resource, people: dict[str, Named | None], issues: list[Issue], *, for_patient: bool
) -> Context:
    authored = resource.get("authored")
    whole = not (isinstance(authored, str) and _PART_OF_A_DAY.fullmatch(authored))
    day = _day(authored if whole else f"{authored}-01-01"[:10])
    if authored is not None and day is None:
        text = "must be a year, a month, a day, or an instant with its zone"
        issues.append(Issue("value", text, f"{HERE}.authored"))
    if day is not None and (fault := day_fault(day)):
        issues.append(Issue("value", fault, f"{HERE}.authored"))
    identifier = resource.get("identifier")
    own = _identifier(identifier, f"{HERE}.identifier", issues) if identifier else None
    author, source = people.get("author"), people.get("source")
    who = source or author
    clinician = author if author and _ANSWERED_BY.get(author.kind or "") == "clinician" else None
    subject, encounter = people.get("subject"), people.get("encounter")
    return Context(
        answered_on=day if whole else None,
        answered_by=_ANSWERED_BY.get(who.kind or "") if who else None,
        clinician=Clinician(reference=clinician.name) if clinician and clinician.name else None,
        fhir=FhirContext(
            for_patient=for_patient,
            authored=authored if day else None,
            identifier_system=own[0] if own else None,
            identifier_value=own[1] if own else None,
            subject=subject.literal if subject else None,
            subject_identified=bool(subject and subject.value),
            encounter=encounter.literal if encounter else None,
            author=author.literal if author else None,
            source=source.literal if source else None,
        ),
    )


def _day(authored: Any) -> date | None:
    found = _DATE_TIME.fullmatch(authored) if isinstance(authored, str) else None
    try:
        if found and found[2]:
            time.fromisoformat(found[2][1:9])
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None
