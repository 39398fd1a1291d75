"""Builds QuestionnaireResponses to a Questionnaire, from given or random answers."""

import random
from copy import deepcopy
from typing import Any

from support.builders import FHIR

SYSTEM = f"{FHIR}/CodeSystem"
NONE = "none-of-these"
PATIENT = {"identifier": {"system": "urn:oid:1.2.3", "value": "MRN-0042"}}


def list_questions(questionnaire: dict) -> list[tuple[str, dict]]:
    """Return each question with the link id of its group."""
    return [
        (group["linkId"], item)
        for group in questionnaire["item"]
        if group["type"] == "group"
        for item in group["item"]
    ]


def build_response(questionnaire: dict, values: dict[str, list[dict]], **more: Any) -> dict:
    """Return a completed response with these values by question id."""
    items: dict[str, list[dict]] = {}
    for group, question in list_questions(questionnaire):
        if question["linkId"] in values:
            answer = {"linkId": question["linkId"], "answer": values[question["linkId"]]}
            items.setdefault(group, []).append(answer)
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{questionnaire['url']}|{questionnaire['version']}",
        "status": "completed",
        "subject": deepcopy(PATIENT),
        "item": [{"linkId": group, "item": answers} for group, answers in items.items()],
    } | more


def draw_answers(questionnaire: dict, seed: int, share: float = 0.5) -> dict[str, list[dict]]:
    """Return random values for about this share of the questions; a seed gives the same values."""
    chance = random.Random(seed)
    return {
        question["linkId"]: _values(question, chance)
        for _, question in list_questions(questionnaire)
        if chance.random() < share
    }


def keep_shown(questionnaire: dict, values: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """Return the values of the questions that a form with these values shows."""
    questions = {question["linkId"]: question for _, question in list_questions(questionnaire)}
    shown_values = {
        link: answer for link, answer in values.items() if is_shown(questions[link], values)
    }
    return shown_values if shown_values == values else keep_shown(questionnaire, shown_values)


def is_shown(item: dict, values: dict[str, list[dict]]) -> bool:
    """Return whether a form shows the item, by FHIR R4's words for the operators."""
    if "enableWhen" not in item:
        return True
    assert item["enableBehavior"] == "any"
    return any(_holds(condition, values) for condition in item["enableWhen"])


def _holds(condition: dict, values: dict[str, list[dict]]) -> bool:
    given_values = [
        _read_value(answer, "value") for answer in values.get(condition["question"], ())
    ]
    expected = _read_value(condition, "answer")
    match condition["operator"]:
        case "exists":
            return bool(given_values) is expected
        case "=":
            return expected in given_values
        case ">=":
            return any(value >= expected for value in given_values)
        case "<=":
            return any(value <= expected for value in given_values)
    raise ValueError(condition["operator"])


def _read_value(element: dict, prefix: str) -> Any:
    """Return the value of `value[x]` or `answer[x]`; of a coding, its code."""
    value = next(part for name, part in element.items() if name.startswith(prefix))
    return value["code"] if isinstance(value, dict) else value


def _values(question: dict, chance: random.Random) -> list[dict]:
    if question["type"] == "boolean":
        return [{"valueBoolean": chance.random() < 0.5}]
    if question["type"] == "choice":
        codings = [{"valueCoding": option["valueCoding"]} for option in question["answerOption"]]
        options = [coding for coding in codings if coding["valueCoding"]["code"] != NONE]
        if not question["repeats"]:
            return [chance.choice(options)]
        if chance.random() < 0.5:
            return [codings[-1]]
        return chance.sample(options, chance.randint(1, min(3, len(options))))
    limits = {limit["url"].rsplit("/", 1)[1]: limit for limit in question["extension"]}
    kind = "valueInteger" if question["type"] == "integer" else "valueDecimal"
    value = chance.randint(limits["minValue"][kind], limits["maxValue"][kind])
    return [{kind: value}]


def convert_to_plain_answers(values: dict[str, list[dict]], questionnaire: dict) -> dict[str, Any]:
    """Return the answers in the form of `POST /v1/score`."""
    kinds = {item["linkId"]: item for _, item in list_questions(questionnaire)}
    plain_answers: dict[str, Any] = {}
    for name, answers in values.items():
        first_values = [next(iter(answer.values())) for answer in answers]
        if kinds[name]["type"] != "choice":
            plain_answers[name] = first_values[0]
        elif kinds[name]["repeats"]:
            plain_answers[name] = [
                coding["code"] for coding in first_values if coding["code"] != NONE
            ]
        else:
            plain_answers[name] = first_values[0]["code"]
    return plain_answers


def read_points(observation: dict) -> dict[str, float | None]:
    """Return the points by code: of the total and of each component; None if absent."""
    points_by_code = {observation["code"]["coding"][0]["code"]: _quantity(observation)}
    for component in observation["component"]:
        if not {"valueCodeableConcept", "valueInteger"} & component.keys():
            points_by_code[component["code"]["coding"][0]["code"]] = _quantity(component)
    return points_by_code


def _quantity(part: dict) -> float | None:
    return part["valueQuantity"]["value"] if "valueQuantity" in part else None


def list_findings(outcome: dict) -> list[tuple[str, str | None]]:
    """Return the code and the expression of each issue."""
    assert outcome["resourceType"] == "OperationOutcome", outcome
    return [(issue["code"], issue.get("expression", [None])[0]) for issue in outcome["issue"]]
