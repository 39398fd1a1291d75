"""The questionnaires drawn and filled in by LHC-Forms: what it exports is what is scored."""

import os
from itertools import count

import pytest
from support.callers import calling
from support.interop.fhir_validators import faults, needs_forms, needs_node
from support.interop.questionnaire_responses import asked, drawn, findings, plain, points

HERE = "/fhir/QuestionnaireResponse"
SETS = int(os.environ.get("NOCISCREEN_FORMS", "20"))
pytestmark = [needs_forms, needs_node]


@pytest.fixture(scope="module")
def page():
    from support.browser.lhc_forms import renderer

    with renderer() as opened:
        yield opened


@pytest.fixture(scope="module")
def forms(anonymous):
    return {
        name: anonymous.get(f"/fhir/Questionnaire/{name}").json()
        for name in ("nociplastic", "nociplastic-patient", "phq4", "phq4-patient")
    }


def told(exported: dict) -> dict[str, list[dict]]:
    """Every answer of a response, without the words beside it."""
    return {
        item["linkId"]: [_bare(each) for each in item["answer"]]
        for group in exported.get("item", ())
        for item in group["item"]
    }


def _bare(answer: dict) -> dict:
    coding = answer.get("valueCoding")
    return {"valueCoding": {k: coding[k] for k in ("system", "code")}} if coding else answer


def in_order(questionnaire: dict, values: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """The same answers, options in the order in which the form shows them."""
    shown = {
        item["linkId"]: [each["valueCoding"]["code"] for each in item.get("answerOption", ())]
        for _, item in asked(questionnaire)
    }
    return {
        link: [
            _bare(each)
            for each in sorted(
                answers,
                key=lambda each, link=link: (
                    shown[link].index(each["valueCoding"]["code"]) if "valueCoding" in each else 0
                ),
            )
        ]
        for link, answers in values.items()
    }


@pytest.mark.parametrize("name", ["nociplastic", "nociplastic-patient", "phq4", "phq4-patient"])
def test_every_question_is_drawn(page, forms, name):
    from support.browser.lhc_forms import filled

    first = asked(forms[name])[0][1]["linkId"]
    filled(page, forms[name], {first: []})
    for _, question in asked(forms[name]):
        assert page.locator(f'[id="item-{question["linkId"]}/1/1"]').count() == 1
    hidden = [item["linkId"] for item in forms[name]["item"] if item["type"] != "group"]
    assert [link for link in hidden if page.locator(f'[id="{link}/1/1"]').is_visible()] == []


def test_random_answers_are_exported_and_scored_without_a_difference(page, forms, service, clinic):
    from support.browser.lhc_forms import filled, problems

    exports = []
    for seed in range(SETS):
        name = ("nociplastic", "nociplastic-patient", "phq4", "nociplastic")[seed % 4]
        form = forms[name]
        values = next(v for n in count() if (v := drawn(form, seed + 100_000 * n, 0.3)))
        exported = filled(page, form, values)
        assert not problems(page)
        got, wanted = in_order(form, told(exported)), in_order(form, values)
        assert got == wanted, (seed, name)
        client = calling(service, clinic)  # a thousand sets outlive a token
        scored = client.post(f"{HERE}/$score", json=exported)
        assert scored.status_code == 200, (seed, name, findings(scored.json()))
        here = points(scored.json()["parameter"][0]["resource"])
        assert here == expected(client, form, values), (seed, name)
        exports.append(exported)
    assert [each for each in faults(exports) if each] == []


def expected(client, form: dict, values: dict[str, list[dict]]) -> dict[str, float | None]:
    """The same points as the rest of the API gives for the same answers."""
    instrument = form["id"].removesuffix("-patient")
    intake = {"rulebook": f"{instrument}@{form['version']}", "answers": plain(values, form)}
    scored = client.post("/v1/score", json=intake).json()
    book = client.get(f"/v1/rulebooks/{instrument}/{form['version']}").json()
    totals = scored["totals"] or {each["id"]: None for each in book["totals"]}
    criteria = scored["criteria"] or [
        {"id": each["id"], "points": None} for each in book["criteria"]
    ]
    told_ = {name: each and each["points"] for name, each in totals.items()}
    told_ |= {each["id"]: each["points"] for each in criteria}
    banded = next((each["id"] for each in book["totals"] if each["banded"]), None)
    if banded is not None and totals[banded] is not None:
        told_ |= {f"{banded}.{edge}": totals[banded]["range"][edge] for edge in ("least", "most")}
    return told_


def test_a_number_out_of_range_is_refused_by_the_form_and_by_us(page, forms, client):
    from support.browser.lhc_forms import filled, problems

    exported = filled(page, forms["phq4"], {"phq4_nervous": [{"valueInteger": 9}]})
    assert problems(page)
    refused = client.post(f"{HERE}/$score", json=exported)
    place = "QuestionnaireResponse.item[0].item[0].answer[0].value"
    assert findings(refused.json()) == [("value", place)]
