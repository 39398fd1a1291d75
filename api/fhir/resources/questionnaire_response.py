"""Builds the QuestionnaireResponse of a screening."""

from typing import Any

from api.fhir.elements import NONE_OF_THESE, Resource, Version, identifier, named, numbered, subject
from api.fhir.questionnaire_catalogue import Form, topic_link
from schemas.rulebook import Question

_STATUS = {True: "amended", False: "completed"}
_RESPONDENT_TYPES = {"patient": "Patient", "proxy": "RelatedPerson", "clinician": "Practitioner"}


def questionnaire_response(version: Version, form: Form) -> Resource:
    """Return the response, also for a screening that did not arrive through FHIR."""
    screening = version.screening
    in_error = screening.entered_in_error is not None
    resource = named("QuestionnaireResponse", version) | {
        "identifier": _own_identifier(version),
        "questionnaire": form.canonical,
        "status": "entered-in-error" if in_error else _STATUS[version.corrects],
        "subject": subject(version),
        "authored": version.answered,
        **_author_and_source(version),
    }
    if encounter := _encounter_reference(version):
        resource["encounter"] = encounter
    if items := _build_items(form, screening.answers):
        resource["item"] = items
    return resource


def _own_identifier(version: Version) -> Resource:
    fhir = version.screening.context.fhir
    if fhir is not None and fhir.identifier_value is not None:
        return numbered(fhir.identifier_value, fhir.identifier_system)
    return identifier(version, "QuestionnaireResponse")


def _author_and_source(version: Version) -> Resource:
    context = version.screening.context
    elements: Resource = {}
    if context.fhir is not None:
        references = {"author": context.fhir.author, "source": context.fhir.source}
        elements = {name: {"reference": literal} for name, literal in references.items() if literal}
    if "author" not in elements and context.clinician is not None:
        elements["author"] = {
            "type": "Practitioner",
            "identifier": {"value": context.clinician.reference},
        }
    if "source" not in elements and context.answered_by in _RESPONDENT_TYPES:
        kind = _RESPONDENT_TYPES[context.answered_by]
        is_patient = kind == "Patient"
        elements["source"] = subject(version) if is_patient else {"type": kind, "display": kind}
    return elements


def _encounter_reference(version: Version) -> Resource | None:
    context, number = version.screening.context, version.screening.patient.encounter
    if context.fhir is not None and context.fhir.encounter is not None:
        return {"reference": context.fhir.encounter}
    return {"type": "Encounter", "identifier": {"value": number}} if number else None


def _build_items(form: Form, answers: dict[str, Any]) -> list[Resource]:
    groups = [
        (
            topic,
            [
                _build_item(form, question, answers[question.id])
                for question in questions
                if answers.get(question.id) is not None
            ],
        )
        for topic, questions in form.topics()
    ]
    return [{"linkId": topic_link(topic.id), "item": items} for topic, items in groups if items]


def _build_item(form: Form, question: Question, answer: Any) -> Resource:
    if question.options:
        system = form.base.options(form.entry.instrument, question.id)
        labels = {option.id: option.label for option in question.options}
        codes = [answer] if question.kind == "choice" else list(answer)
        labels[NONE_OF_THESE] = "None of these"
        values = [
            {"valueCoding": {"system": system, "code": code, "display": labels[code]}}
            for code in codes or [NONE_OF_THESE]
        ]
    else:
        values = [{f"value{question.kind.title()}": answer}]
    return {"linkId": question.id, "answer": values}
