"""Builds the QuestionnaireResponse of a screening."""

from typing import Any

from api.fhir.elements import (
    NONE_OF_THESE,
    Resource,
    ResourceVersion,
    begin_resource,
    build_identifier,
    build_patient_reference,
    build_resource_identifier,
)
from api.fhir.questionnaire_catalogue import QuestionnaireForm, topic_link_id
from schemas.rulebook import Question

_STATUS = {True: "amended", False: "completed"}
_RESPONDENT_TYPES = {"patient": "Patient", "proxy": "RelatedPerson", "clinician": "Practitioner"}


def build_questionnaire_response(version: ResourceVersion, form: QuestionnaireForm) -> Resource:
    """Return the response, also for a screening that did not arrive through FHIR."""
    screening = version.screening
    in_error = screening.entered_in_error is not None
    resource = begin_resource("QuestionnaireResponse", version) | {
        "identifier": _own_identifier(version),
        "questionnaire": form.canonical,
        "status": "entered-in-error" if in_error else _STATUS[version.is_correction],
        "subject": build_patient_reference(version),
        "authored": version.answered_at,
        **_author_and_source(version),
    }
    if encounter := _encounter_reference(version):
        resource["encounter"] = encounter
    if items := _build_items(form, screening.answers):
        resource["item"] = items
    return resource


def _own_identifier(version: ResourceVersion) -> Resource:
    fhir = version.screening.context.fhir
    if fhir is not None and fhir.identifier_value is not None:
        return build_identifier(fhir.identifier_value, fhir.identifier_system)
    return build_resource_identifier(version, "QuestionnaireResponse")


def _author_and_source(version: ResourceVersion) -> Resource:
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
        elements["source"] = (
            build_patient_reference(version) if is_patient else {"type": kind, "display": kind}
        )
    return elements


def _encounter_reference(version: ResourceVersion) -> Resource | None:
    context, number = version.screening.context, version.screening.patient.encounter
    if context.fhir is not None and context.fhir.encounter is not None:
        return {"reference": context.fhir.encounter}
    return {"type": "Encounter", "identifier": {"value": number}} if number else None


def _build_items(form: QuestionnaireForm, answers: dict[str, Any]) -> list[Resource]:
    groups = [
        (
            topic,
            [
                _build_item(form, question, answers[question.id])
                for question in questions
                if answers.get(question.id) is not None
            ],
        )
        for topic, questions in form.questions_by_topic()
    ]
    return [{"linkId": topic_link_id(topic.id), "item": items} for topic, items in groups if items]


def _build_item(form: QuestionnaireForm, question: Question, answer: Any) -> Resource:
    if question.options:
        system = form.urls.option_system(form.entry.instrument, question.id)
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
