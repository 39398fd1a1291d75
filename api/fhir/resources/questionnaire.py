"""A form as an SDC Questionnaire: what is asked, and for clinicians what it weighs."""

from typing import Any

from api.fhir.elements import EXTENSION, NONE_OF_THESE, Resource
from api.fhir.questionnaire_catalogue import Form, form_id, topic_link, total_link
from schemas.base import plain_number
from schemas.rulebook import Question

_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition"
_CONTROL = "http://hl7.org/fhir/questionnaire-item-control"
_LAUNCH = "http://hl7.org/fhir/uv/sdc/CodeSystem/launchContext"
_TYPES = {
    "boolean": "boolean",
    "integer": "integer",
    "decimal": "decimal",
    "choice": "choice",
    "multi": "choice",
}


def questionnaire(form: Form) -> Resource:
    """The Questionnaire. A published version never changes."""
    header, entry = form.loaded.rulebook.rulebook, form.entry
    whole: Resource = {
        "resourceType": "Questionnaire",
        "id": form.id,
        "meta": {"versionId": entry.version, "profile": [f"{_SDC}/sdc-questionnaire"]},
        "language": header.language,
        "extension": [_launch_context()],
        "url": form.url,
        "version": entry.version,
        "name": _computable(form),
        "title": header.title,
        "status": entry.status,
        "experimental": False,
        "subjectType": ["Patient"],
        "date": entry.released_on.isoformat(),
        "publisher": "nociscreen",
        "description": header.summary,
        "purpose": header.intended_use,
        "copyright": header.copyright,
        "item": [*_groups(form), *_totals(form)],
    }
    if form.for_patient:
        clinicians = form.base.questionnaire(form_id(entry.instrument))
        whole["derivedFrom"] = [f"{clinicians}|{entry.version}"]
    return whole


def _computable(form: Form) -> str:
    words = form.id.replace("-", " ").title().split()
    return "".join(words)


def _launch_context() -> Resource:
    return {
        "url": f"{_SDC}/sdc-questionnaire-launchContext",
        "extension": [
            {"url": "name", "valueCoding": {"system": _LAUNCH, "code": "patient"}},
            {"url": "type", "valueCode": "Patient"},
        ],
    }


def _groups(form: Form) -> list[Resource]:
    return [
        {
            "linkId": topic_link(topic.id),
            "text": f"{topic.label}. {topic.intro}" if topic.intro else topic.label,
            "type": "group",
            "item": [_item(form, question) for question in questions],
        }
        for topic, questions in form.topics()
    ]


def _item(form: Form, question: Question) -> Resource:
    item: Resource = {
        "linkId": question.id,
        "text": question.text,
        "type": _TYPES[question.kind],
        "required": False,
        "repeats": question.kind == "multi",
    }
    if extensions := _extensions(question):
        item["extension"] = extensions
    if question.options:
        item["answerOption"] = _options(form, question)
    if beside := _beside(form, question):
        item["item"] = beside
    return item


def _extensions(question: Question) -> list[Resource]:
    if question.kind in ("integer", "decimal"):
        kind = f"value{question.kind.title()}"
        limits = [
            {"url": f"{EXTENSION}/{name}", kind: plain_number(limit)}
            for name, limit in (("minValue", question.minimum), ("maxValue", question.maximum))
            if limit is not None
        ]
        places = {"url": f"{EXTENSION}/maxDecimalPlaces", "valueInteger": 2}
        return [*limits, places] if question.kind == "decimal" else limits
    if question.kind == "multi":
        return [_control("check-box")]
    return [_control("radio-button")] if question.kind == "choice" else []


def _control(code: str) -> Resource:
    concept = {"coding": [{"system": _CONTROL, "code": code}]}
    return {"url": f"{EXTENSION}/questionnaire-itemControl", "valueCodeableConcept": concept}


def _options(form: Form, question: Question) -> list[Resource]:
    system = form.base.options(form.entry.instrument, question.id)
    options: list[Resource] = [
        {"valueCoding": {"system": system, "code": option.id, "display": option.label}}
        for option in question.options
    ]
    if question.kind == "multi":
        none = {"system": system, "code": NONE_OF_THESE, "display": "None of these"}
        alone = {"url": f"{EXTENSION}/questionnaire-optionExclusive", "valueBoolean": True}
        options.append({"extension": [alone], "valueCoding": none})
    return options


def _beside(form: Form, question: Question) -> list[Resource]:
    """Help and thanks for whoever fills it in; for clinicians also what the answer weighs."""
    texts = {"help": question.help, "attribution": question.attribution}
    if not form.for_patient:
        texts["weight"] = _weights(form, question.id)
    return [
        {
            "linkId": f"{question.id}.{name}",
            "text": text,
            "type": "display",
            "extension": [_control("help")],
        }
        for name, text in texts.items()
        if text
    ]


def _weights(form: Form, question: str) -> str:
    """Every criterion that reads the question, with the points of each of its levels."""
    reading = zip(form.loaded.rulebook.criterion, form.loaded.read_by, strict=True)
    return " ".join(
        f"{criterion.id} {criterion.label}: "
        + ", ".join(f"{level.id} {plain_number(level.points)}" for level in criterion.level)
        + "."
        for criterion, reads in reading
        if question in reads
    )


def _totals(form: Form) -> list[Resource]:
    """What the service computes. Hidden: it is not asked, and what is sent for it is compared."""
    if form.for_patient:
        return []
    hidden: dict[str, Any] = {"url": f"{EXTENSION}/questionnaire-hidden", "valueBoolean": True}
    return [
        {
            "linkId": total_link(total.id),
            "text": f"{total.label} (computed by the service)",
            "type": "decimal",
            "readOnly": True,
            "required": False,
            "extension": [hidden],
        }
        for total in form.loaded.rulebook.total
    ]
