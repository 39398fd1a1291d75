"""QuestionnaireResponses to a published Questionnaire: from plain answers, or drawn at random."""

import random
from copy import deepcopy
from typing import Any

from support.builders import FHIR

SYSTEM = f"{FHIR}/CodeSystem"
NONE = "none-of-these"
PATIENT = {"identifier": {"system": "urn:oid:1.2.3", "value": "MRN-0042"}}


def asked(questionnaire: dict) -> list[tuple[str, dict]]:
    """Every question with the link id of its group."""
    return [
        (group["linkId"], item)
        for group in questionnaire["item"]
        if group["type"] == "group"
        for item in group["item"]
    ]


def response(questionnaire: dict, values: dict[str, list[dict]], **more: Any) -> dict:
    """The response that answers these questions by these values, in order."""
    items: dict[str, list[dict]] = {}
    for group, question in asked(questionnaire):
        if question["linkId"] in values:
            answer = {"linkId": question["linkId"], "answer": values[question["linkId"]]}
            items.setdefault(group, []).append(answer)
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{questionnaire['url']}|{questionnaire['version']}",
        "status": "completed",
        "subject": deepcopy(PATIENT),
        "item": [{"linkId": group, "item": each} for group, each in items.items()],
    } | more


def drawn(questionnaire: dict, seed: int, share: float = 0.5) -> dict[str, list[dict]]:
    """Values for about this share of the questions, the same for the same seed."""
    chance = random.Random(seed)
    return {
        question["linkId"]: _values(question, chance)
        for _, question in asked(questionnaire)
        if chance.random() < share
    }


def _values(question: dict, chance: random.Random) -> list[dict]:
    if question["type"] == "boolean":
        return [{"valueBoolean": chance.random() < 0.5}]
    if question["type"] == "choice":
        codings = [{"valueCoding": each["valueCoding"]} for each in question["answerOption"]]
        options = [each for each in codings if each["valueCoding"]["code"] != NONE]
        if not question["repeats"]:
            return [chance.choice(options)]
        if chance.random() < 0.5:
            return [codings[-1]]
        return chance.sample(options, chance.randint(1, min(3, len(options))))
    limits = {each["url"].rsplit("/", 1)[1]: each for each in question["extension"]}
    kind = "valueInteger" if question["type"] == "integer" else "valueDecimal"
    value = chance.randint(limits["minValue"][kind], limits["maxValue"][kind])
    return [{kind: value}]


def plain(values: dict[str, list[dict]], questionnaire: dict) -> dict[str, Any]:
    """The same answers as the rest of the API takes them."""
    kinds = {item["linkId"]: item for _, item in asked(questionnaire)}
    told: dict[str, Any] = {}
    for name, answers in values.items():
        given = [next(iter(each.values())) for each in answers]
        if kinds[name]["type"] != "choice":
            told[name] = given[0]
        elif kinds[name]["repeats"]:
            told[name] = [each["code"] for each in given if each["code"] != NONE]
        else:
            told[name] = given[0]["code"]
    return told


def points(observation: dict) -> dict[str, float | None]:
    """Points by code: the total, and each component that is a number or has none."""
    told = {observation["code"]["coding"][0]["code"]: _quantity(observation)}
    for each in observation["component"]:
        if "valueCodeableConcept" not in each:
            told[each["code"]["coding"][0]["code"]] = _quantity(each)
    return told


def _quantity(part: dict) -> float | None:
    return part["valueQuantity"]["value"] if "valueQuantity" in part else None


def findings(outcome: dict) -> list[tuple[str, str | None]]:
    """Code and place of each issue."""
    assert outcome["resourceType"] == "OperationOutcome", outcome
    return [(each["code"], each.get("expression", [None])[0]) for each in outcome["issue"]]
