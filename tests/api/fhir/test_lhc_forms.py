"""The questionnaires drawn and filled in by LHC-Forms: what it exports is what is scored."""

import os
from itertools import count

import pytest
from support.callers import calling
from support.interop.fhir_validators import needs_forms, needs_node, validate_resources
from support.interop.questionnaire_responses import (
    convert_to_plain_answers,
    draw_answers,
    keep_shown,
    list_findings,
    list_questions,
    read_points,
)

HERE = "/fhir/QuestionnaireResponse"
SETS = int(os.environ.get("TEST_FORMS", "3"))
pytestmark = [needs_forms, needs_node]


@pytest.fixture(scope="module")
def page():
    from support.browser.lhc_forms import open_renderer

    with open_renderer() as browser_page:
        yield browser_page


@pytest.fixture(scope="module")
def forms(anonymous):
    return {
        name: anonymous.get(f"/fhir/Questionnaire/{name}").json()
        for name in ("nociplastic", "nociplastic-patient", "phq4", "phq4-patient")
    }


def read_answers(exported: dict) -> dict[str, list[dict]]:
    """Every answer of a response, without the words beside it."""
    return {
        item["linkId"]: [_bare(answer) for answer in item["answer"]]
        for group in exported.get("item", ())
        for item in group["item"]
    }


def _bare(answer: dict) -> dict:
    coding = answer.get("valueCoding")
    return {"valueCoding": {k: coding[k] for k in ("system", "code")}} if coding else answer


def in_order(questionnaire: dict, values: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """The same answers, options in the order in which the form shows them."""
    option_order = {
        item["linkId"]: [option["valueCoding"]["code"] for option in item.get("answerOption", ())]
        for _, item in list_questions(questionnaire)
    }
    return {
        link: [
            _bare(answer)
            for answer in sorted(
                answers,
                key=lambda answer, link=link: (
                    option_order[link].index(answer["valueCoding"]["code"])
                    if "valueCoding" in answer
                    else 0
                ),
            )
        ]
        for link, answers in values.items()
    }


def draw_shown(questionnaire: dict, seed: int) -> dict[str, list[dict]]:
    """Return random values of questions that the form shows: no others can be filled in."""
    return keep_shown(questionnaire, draw_answers(questionnaire, seed, 0.3))


@pytest.mark.parametrize("name", ["nociplastic", "nociplastic-patient", "phq4", "phq4-patient"])
def test_every_question_is_drawn(page, forms, name):
    from support.browser.lhc_forms import fill_form

    first = list_questions(forms[name])[0][1]["linkId"]
    fill_form(page, forms[name], {first: []})
    for _, question in list_questions(forms[name]):
        assert page.locator(f'[id="item-{question["linkId"]}/1/1"]').count() == 1
    hidden_links = [item["linkId"] for item in forms[name]["item"] if item["type"] != "group"]
    assert [link for link in hidden_links if page.locator(f'[id="{link}/1/1"]').is_visible()] == []


def test_random_answers_are_exported_and_scored_without_a_difference(page, forms, service, clinic):
    from support.browser.lhc_forms import fill_form, find_errors

    exports = []
    for seed in range(SETS):
        name = ("nociplastic", "nociplastic-patient", "phq4", "nociplastic")[seed % 4]
        form = forms[name]
        values = next(v for n in count() if (v := draw_shown(form, seed + 100_000 * n)))
        exported = fill_form(page, form, values)
        assert not find_errors(page)
        got, drawn_values = in_order(form, read_answers(exported)), in_order(form, values)
        assert got == drawn_values, (seed, name)
        client = calling(service, clinic)  # a thousand sets outlive a token
        scored = client.post(f"{HERE}/$score", json=exported)
        assert scored.status_code == 200, (seed, name, list_findings(scored.json()))
        here = read_points(scored.json()["parameter"][0]["resource"])
        assert here == read_api_points(client, form, values), (seed, name)
        exports.append(exported)
    assert [faults for faults in validate_resources(exports) if faults] == []


def read_api_points(client, form: dict, values: dict[str, list[dict]]) -> dict[str, float | None]:
    """The same points as the rest of the API gives for the same answers."""
    instrument = form["id"].removesuffix("-patient")
    intake = {
        "rulebook": f"{instrument}@{form['version']}",
        "answers": convert_to_plain_answers(values, form),
    }
    scored = client.post("/v1/score", json=intake).json()
    book = client.get(f"/v1/rulebooks/{instrument}/{form['version']}").json()
    totals = scored["totals"] or {total["id"]: None for total in book["totals"]}
    criteria = scored["criteria"] or [
        {"id": criterion["id"], "points": None} for criterion in book["criteria"]
    ]
    points_by_code = {name: total and total["points"] for name, total in totals.items()}
    points_by_code |= {criterion["id"]: criterion["points"] for criterion in criteria}
    banded = next((total["id"] for total in book["totals"] if total["banded"]), None)
    if banded is not None and totals[banded] is not None:
        points_by_code |= {
            f"{banded}.{edge}": totals[banded]["range"][edge] for edge in ("least", "most")
        }
    return points_by_code


def test_a_number_out_of_range_is_refused_by_the_form_and_the_service(page, forms, client):
    from support.browser.lhc_forms import fill_form, find_errors

    exported = fill_form(page, forms["phq4"], {"phq4_nervous": [{"valueInteger": 9}]})
    assert find_errors(page)
    answer = client.post(f"{HERE}/$score", json=exported)
    place = "QuestionnaireResponse.item[0].item[0].answer[0].value"
    assert list_findings(answer.json()) == [("value", place)]
