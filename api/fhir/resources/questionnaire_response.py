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
from api.fhir.links import build_encounter
from api.fhir.questionnaire_catalogue import QuestionnaireForm, topic_link_id
from schemas.rulebooks.rulebook import Question

_RESPONDENT_TYPES = {"patient": "Patient", "proxy": "RelatedPerson", "clinician": "Practitioner"}


def build_questionnaire_response(version: ResourceVersion, form: QuestionnaireForm) -> Resource:
    """Return the response as it was received, with what is known of it now.

    A screening that did not arrive through FHIR is a response too.
    """
    received = version.received
    if received is None:
        return _build_response(version, form)
    resource = begin_resource("QuestionnaireResponse", version)
    own = {
        "identifier": build_resource_identifier(version, "QuestionnaireResponse"),
        "subject": build_patient_reference(version),
        "authored": version.answered_at,
        **_list_items(version, form),
    }
    now: Resource = {
        "meta": merge_meta(received.get("meta", {}), resource["meta"]),
        "questionnaire": name_form(form, received.get("questionnaire", "")),
        "status": _status(version, received.get("status")),
    }
    if version.screening.moves:  # what was sent names the patient by a retired number
        now |= replace_patient(received, build_patient_reference(version))
    resource |= own | received | now
    return {name: element for name, element in resource.items() if element != []}


def name_form(form: QuestionnaireForm, sent_url: str) -> str:
    """Return the canonical URL that was received, if it says the version, or that of the form."""
    return sent_url if form.urls.resolve_alias(sent_url) == form.canonical else form.canonical


def replace_patient(received: Resource, patient: Resource) -> Resource:
    """Return the elements that named the patient by a retired number, with the number in force."""
    retired = received.get("subject", {})
    names = [it for it in ("subject", "source", "author") if received.get(it, retired) == retired]
    elements: Resource = {name: patient for name in names if name == "subject" or name in received}
    if "contained" in received:
        target = retired.get("reference")
        contained = [it for it in received["contained"] if f"#{it.get('id')}" != target]
        elements["contained"] = contained
    return elements


def merge_meta(received: Resource, assigned: Resource) -> Resource:
    """Return the meta that was received, with the version and security label of the service."""
    labels = [*received.get("security", ()), *assigned.get("security", ())]
    unique = [label for n, label in enumerate(labels) if label not in labels[:n]]
    return received | assigned | ({"security": unique} if unique else {})


def _status(version: ResourceVersion, received: str | None = None) -> str:
    if version.screening.entered_in_error is not None:
        return "entered-in-error"
    return "amended" if version.is_correction else received or "completed"


def _build_response(version: ResourceVersion, form: QuestionnaireForm) -> Resource:
    resource = begin_resource("QuestionnaireResponse", version) | {
        "identifier": _own_identifier(version),
        "questionnaire": form.canonical,
        "status": _status(version),
        "subject": build_patient_reference(version),
        "authored": version.answered_at,
        **build_encounter(version),
        **_author_and_source(version),
    }
    return resource | _list_items(version, form)


def _list_items(version: ResourceVersion, form: QuestionnaireForm) -> Resource:
    items = build_items(form, version.screening.answers)
    return {"item": items} if items else {}


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


def build_items(form: QuestionnaireForm, answers: dict[str, Any]) -> list[Resource]:
    """Return the groups of a form with the items that are answered."""
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
