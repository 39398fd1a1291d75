"""A screening as the QuestionnaireResponse that it was answered by."""

from typing import Any

from api.fhir.elements import NONE_OF_THESE, Resource, Version, identifier, named, numbered, subject
from api.fhir.questionnaire_catalogue import Form, topic_link
from schemas.rulebook import Question

_STATUS = {True: "amended", False: "completed"}
_KINDS = {"patient": "Patient", "proxy": "RelatedPerson", "clinician": "Practitioner"}


def questionnaire_response(version: Version, form: Form) -> Resource:
    """The response. Kept by another way than FHIR, it is told as if it had come this way."""
    screening = version.screening
    in_error = screening.entered_in_error is not None
    told = named("QuestionnaireResponse", version) | {
        "identifier": _identifier(version),
        "questionnaire": form.canonical,
        "status": "entered-in-error" if in_error else _STATUS[version.corrects],
        "subject": subject(version),
        "authored": version.answered,
        **_people(version),
    }
    if encounter := _encounter(version):
        told["encounter"] = encounter
    if items := _items(form, screening.answers):
        told["item"] = items
    return told


def _identifier(version: Version) -> Resource:
    fhir = version.screening.context.fhir
    if fhir is not None and fhir.identifier_value is not None:
        return numbered(fhir.identifier_value, fhir.identifier_system)
    return identifier(version, "QuestionnaireResponse")


def _people(version: Version) -> Resource:
    """Who wrote it down and who answered, as far as they were named."""
    context = version.screening.context
    told: Resource = {}
    if context.fhir is not None:
        literal = {"author": context.fhir.author, "source": context.fhir.source}
        told = {name: {"reference": each} for name, each in literal.items() if each}
    if "author" not in told and context.clinician is not None:
        told["author"] = {
            "type": "Practitioner",
            "identifier": {"value": context.clinician.reference},
        }
    if "source" not in told and context.answered_by in _KINDS:
        kind = _KINDS[context.answered_by]
        told["source"] = subject(version) if kind == "Patient" else {"type": kind, "display": kind}
    return told


def _encounter(version: Version) -> Resource | None:
    context, number = version.screening.context, version.screening.patient.encounter
    if context.fhir is not None and context.fhir.encounter is not None:
        return {"reference": context.fhir.encounter}
    return {"type": "Encounter", "identifier": {"value": number}} if number else None


def _items(form: Form, answers: dict[str, Any]) -> list[Resource]:
    groups = [
        (
            topic,
            [_item(form, each, answers[each.id]) for each in questions if _is_in(each, answers)],
        )
        for topic, questions in form.topics()
    ]
    return [{"linkId": topic_link(topic.id), "item": items} for topic, items in groups if items]


def _is_in(question: Question, answers: dict[str, Any]) -> bool:
    return answers.get(question.id) is not None


def _item(form: Form, question: Question, answer: Any) -> Resource:
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
