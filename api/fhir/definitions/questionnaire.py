"""Builds an SDC Questionnaire from a form; the clinicians' form also shows the weights."""

import json
from hashlib import sha256
from typing import Any

from api.fhir.definitions.enable_when import build_display_condition
from api.fhir.definitions.loinc_codes import INSTRUMENT_CODES, QUESTION_CODES, build_codes
from api.fhir.definitions.text_translations import translate_text
from api.fhir.elements import EXTENSION_BASE, NONE_OF_THESE, NONE_OF_THESE_TEXT, Resource
from api.fhir.questionnaire_catalogue import (
    QuestionnaireForm,
    derive_form_id,
    topic_link_id,
    total_link_id,
)
from schemas.base import to_json_number
from schemas.rulebooks.rulebook import Question

_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition"
_ITEM_CONTROL = "http://hl7.org/fhir/questionnaire-item-control"
_LAUNCH = "http://hl7.org/fhir/uv/sdc/CodeSystem/launchContext"
_TYPES = {
    "boolean": "boolean",
    "integer": "integer",
    "decimal": "decimal",
    "choice": "choice",
    "multi": "choice",
}


def build_questionnaire(form: QuestionnaireForm) -> Resource:
    """Return the Questionnaire; `versionId` is its version with a hash of all its content.

    What is asked and scored never changes in a published version; translations, codes and status
    may.
    """
    header, entry = form.loaded.rulebook.rulebook, form.entry
    resource: Resource = {
        "resourceType": "Questionnaire",
        "id": form.id,
        "meta": {"profile": [f"{_SDC}/sdc-questionnaire"]},
        "language": header.language,
        "extension": [_build_launch_context()],
        "url": form.url,
        "version": entry.version,
        "name": _computable_name(form),
        "title": header.title,
        **translate_text(form.loaded, "title", "rulebook/title"),
        "status": entry.status,
        "experimental": False,
        "subjectType": ["Patient"],
        "date": entry.released_on.isoformat(),
        "publisher": "nociscreen",
        "description": header.summary,
        "purpose": header.intended_use,
        "copyright": header.copyright,
        **build_codes(INSTRUMENT_CODES.get(entry.instrument)),
        "item": [*_build_groups(form), *_build_totals(form)],
    }
    if form.for_patient:
        clinicians = form.urls.questionnaire_url(derive_form_id(entry.instrument))
        resource["derivedFrom"] = [f"{clinicians}|{entry.version}"]
    content = json.dumps(resource, sort_keys=True).encode()
    resource["meta"]["versionId"] = f"{entry.version}-{sha256(content).hexdigest()[:8]}"
    return resource


def _computable_name(form: QuestionnaireForm) -> str:
    return form.id.replace("-", " ").title().replace(" ", "")


def _build_launch_context() -> Resource:
    return {
        "url": f"{_SDC}/sdc-questionnaire-launchContext",
        "extension": [
            {"url": "name", "valueCoding": {"system": _LAUNCH, "code": "patient"}},
            {"url": "type", "valueCode": "Patient"},
        ],
    }


def _build_groups(form: QuestionnaireForm) -> list[Resource]:
    return [
        {
            "linkId": topic_link_id(topic.id),
            "text": f"{topic.label}. {topic.intro}" if topic.intro else topic.label,
            **translate_text(
                form.loaded, "text", f"topic/{topic.id}/label", f"topic/{topic.id}/intro"
            ),
            "type": "group",
            "item": [_build_item(form, question) for question in questions],
        }
        for topic, questions in form.questions_by_topic()
    ]


def _build_item(form: QuestionnaireForm, question: Question) -> Resource:
    item: Resource = {
        "linkId": question.id,
        **build_codes(QUESTION_CODES.get(question.id)),
        "text": question.text,
        **translate_text(form.loaded, "text", f"question/{question.id}/text"),
        "type": _TYPES[question.kind],
        "required": False,
        "repeats": question.kind == "multi",
    }
    display_condition = build_display_condition(form, question)
    if extensions := [*_build_extensions(question), *display_condition.pop("extension", ())]:
        item["extension"] = extensions
    item |= display_condition
    if question.options:
        item["answerOption"] = _build_options(form, question)
    if display_items := _build_display_items(form, question):
        item["item"] = display_items
    return item


def _build_extensions(question: Question) -> list[Resource]:
    if question.kind in ("integer", "decimal"):
        kind = f"value{question.kind.title()}"
        limits = [
            {"url": f"{EXTENSION_BASE}/{name}", kind: to_json_number(limit)}
            for name, limit in (("minValue", question.minimum), ("maxValue", question.maximum))
            if limit is not None
        ]
        places = {"url": f"{EXTENSION_BASE}/maxDecimalPlaces", "valueInteger": 2}
        return [*limits, places] if question.kind == "decimal" else limits
    if question.kind == "multi":
        return [_build_item_control("check-box")]
    return [_build_item_control("radio-button")] if question.kind == "choice" else []


def _build_item_control(code: str) -> Resource:
    concept = {"coding": [{"system": _ITEM_CONTROL, "code": code}]}
    return {"url": f"{EXTENSION_BASE}/questionnaire-itemControl", "valueCodeableConcept": concept}


def _build_options(form: QuestionnaireForm, question: Question) -> list[Resource]:
    system = form.urls.option_system(form.entry.instrument, question.id)
    options: list[Resource] = [
        {
            "valueCoding": {
                "system": system,
                "code": option.id,
                "display": option.label,
                **translate_text(
                    form.loaded, "display", f"question/{question.id}/options/{option.id}/label"
                ),
            }
        }
        for option in question.options
    ]
    if question.kind == "multi":
        coding = {
            "system": system,
            "code": NONE_OF_THESE,
            "display": NONE_OF_THESE_TEXT,
            **translate_text(form.loaded, "display", "wording/nothing_marked"),
        }
        exclusive = {"url": f"{EXTENSION_BASE}/questionnaire-optionExclusive", "valueBoolean": True}
        options.append({"extension": [exclusive], "valueCoding": coding})
    return options


def _build_display_items(form: QuestionnaireForm, question: Question) -> list[Resource]:
    """Return help and attribution as display items; for clinicians also the weights."""
    texts = {"help": question.help, "attribution": question.attribution}
    if not form.for_patient:
        texts["weight"] = _describe_weights(form, question.id)
    return [
        {
            "linkId": f"{question.id}.{name}",
            "text": text,
            **(
                translate_text(form.loaded, "text", f"question/{question.id}/help")
                if name == "help"
                else {}
            ),
            "type": "display",
            "extension": [_build_item_control("help")],
        }
        for name, text in texts.items()
        if text
    ]


def _describe_weights(form: QuestionnaireForm, question: str) -> str:
    """List each criterion that reads the question, with the points of its levels."""
    criteria = zip(form.loaded.rulebook.criterion, form.loaded.level_questions, strict=True)
    return " ".join(
        f"{criterion.id} {criterion.label}: "
        + ", ".join(f"{level.id} {to_json_number(level.points)}" for level in criterion.level)
        + "."
        for criterion, question_ids in criteria
        if question in question_ids
    )


def _build_totals(form: QuestionnaireForm) -> list[Resource]:
    """Return a hidden item per total; a value that a client sends for it is only compared."""
    if form.for_patient:
        return []
    hidden_extension: dict[str, Any] = {
        "url": f"{EXTENSION_BASE}/questionnaire-hidden",
        "valueBoolean": True,
    }
    return [
        {
            "linkId": total_link_id(total.id),
            "text": f"{total.label} (computed by the service)",
            "type": "decimal",
            "readOnly": True,
            "required": False,
            "extension": [hidden_extension],
        }
        for total in form.loaded.rulebook.total
    ]
