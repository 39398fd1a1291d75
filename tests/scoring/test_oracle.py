"""The engine beside a second reading of the specification: they agree on everything."""

import json
from decimal import Decimal
from typing import Any

import oracle
import pytest
from hypothesis import given, settings
from intakes import partial_answers, unflagged_answers

from schemas.assessment import Assessment
from scoring.catalogue import catalogue
from scoring.engine import assess, weigh
from scoring.weighing import exact

LOADED = catalogue().active("nociplastic")
TOTALS = ("contribution", "predominance")


def assert_agreement(answers: dict[str, Any]) -> None:
    """The engine says exactly what the oracle says of these answers."""
    expected, found = oracle.judge(answers), assess(LOADED, answers)
    assert found.status == expected["status"]
    assert_points_agree(answers, expected)
    assert {flag.id: flag.tier for flag in found.safety.flags} == expected["flags"]
    assert found.safety.tier == min(expected["flags"].values(), default="none")
    assert found.safety.unanswered == tuple(n for n in oracle.RED_FLAGS if n not in answers)
    assert [reason.id for reason in found.scope.reasons] == expected["scope"]
    assert found.scope.unanswered == tuple(n for n in oracle.SCOPE_QUESTIONS if n not in answers)
    if found.status == "withheld_red_flag":
        return
    assert found.derived == expected["derived"]
    for grading in ("iasp_2021", "neupsig", "acr_2016"):
        assert found.gradings[grading].grade == expected[grading], grading
    if found.status == "out_of_scope":
        return
    assert_scored_parts_agree(found, expected)


def assert_points_agree(answers: dict[str, Any], expected: dict[str, Any]) -> None:
    weighed = weigh(LOADED, answers)
    for criterion, weight in zip(LOADED.rulebook.criterion, weighed.weights, strict=True):
        spec = expected["criteria"][criterion.id]
        level = None if weight.level is None else criterion.level[weight.level].id
        ends = (exact(weight.points), exact(weight.least), exact(weight.most))
        assert level == spec["level"], criterion.id
        assert ends == (spec["points"] or 0, spec["least"], spec["most"]), criterion.id
    for side in ("now", "least", "most"):
        sums = getattr(weighed, side)
        totals = dict(zip((t.id for t in LOADED.rulebook.total), sums.totals, strict=True))
        assert {name: exact(totals[name]) for name in TOTALS} == {
            name: expected[side][name] for name in TOTALS
        }, side


def assert_scored_parts_agree(found: Assessment, expected: dict[str, Any]) -> None:
    total = found.totals["predominance"]
    assert total.band == expected["band"]
    assert found.picture.id == expected["picture"]
    assert found.picture.ledgers == expected["ledgers"]
    assert {each.id: each.points for each in found.domains} == expected["now"]["domains"]
    assert {each.id: each.sum for each in found.domains} == expected["now"]["sums"]
    assert [(each.question, each.swing) for each in found.missing] == expected["missing"]
    assert {e.criterion: (e.points, e.band) for e in found.what_if} == expected["what_if"]
    assert {each.number: each.state for each in found.patterns.list} == expected["patterns"]
    for each in found.criteria:
        spec = expected["criteria"][each.id]
        assert (each.level, each.points) == (spec["level"], spec["points"]), each.id
        assert each.full_points == spec["full_points"], each.id
        assert (each.discount and each.discount.factor) == spec["factor"], each.id


@given(partial_answers(LOADED))
@settings(max_examples=150)
def test_engine_and_oracle_agree_on_any_answers(answers):
    assert_agreement(answers)


@given(unflagged_answers(LOADED))
@settings(max_examples=300)
def test_engine_and_oracle_agree_within_scope(answers):
    assert_agreement(answers)


def test_nothing_answered_is_read_the_same():
    assert_agreement({})


def test_the_questionnaire_is_that_of_the_specification():
    asked = {
        each.id: {
            "id": each.id,
            "topic": each.topic,
            "who": each.who,
            "kind": each.kind,
            "minimum": each.minimum,
            "maximum": each.maximum,
            "options": {option.id for option in each.options},
        }
        for each in LOADED.rulebook.question
    }
    specified = {
        each["id"]: {"minimum": None, "maximum": None, **each} for each in oracle.TABLE["question"]
    }
    for each in specified.values():
        each["options"] = set(each.get("options", ()))
    assert list(asked) == list(specified)
    assert asked == specified


def test_the_criteria_are_those_of_the_specification():
    """Domain, grade, levels, points and discounts, number by number."""
    for criterion, spec in zip(LOADED.rulebook.criterion, oracle.TABLE["criterion"], strict=True):
        assert criterion.id == spec["id"]
        assert (criterion.domain, criterion.grade) == (spec["domain"], spec["grade"])
        assert {e.id: e.points for e in criterion.level} == {
            each["id"]: each["points"] for each in spec["levels"]
        }
        assert [each.factor for each in criterion.discount] == [
            each["factor"] for each in spec.get("discounts", ())
        ]


def test_the_domains_are_those_of_the_specification():
    assert [(each.id, each.floor, each.ceiling) for each in LOADED.rulebook.domain] == [
        (each["id"], each["floor"], each["ceiling"]) for each in oracle.TABLE["domain"]
    ]


def test_the_red_flags_are_those_of_the_specification():
    checked = {each["id"]: each["tier"] for each in oracle.TABLE["flag"]}
    shipped = {each.id: each.tier for each in LOADED.rulebook.flag}
    assert {name: shipped.get(name) for name in checked} == checked
    assert {each.id for each in LOADED.rulebook.flag if each.about_person} == oracle.PERSONAL
    assert len(shipped) == len(checked) + 7


@pytest.mark.parametrize("flag", oracle.TABLE["flag"], ids=lambda flag: flag["id"])
def test_each_red_flag_is_raised_by_its_own_option_alone(flag):
    found = assess(LOADED, {flag["question"]: (flag["id"],)})
    assert [(each.id, each.tier) for each in found.safety.flags] == [(flag["id"], flag["tier"])]
    assert found.safety.tier == flag["tier"]


def test_the_regions_are_those_of_the_specification():
    for site, spec in oracle.SITES.items():
        found = assess(LOADED, {"pain_sites": (site,)}).derived
        assert (found["regions"], found["wpi"]) == (1, int(spec["in_wpi"])), site


def test_points_are_json_numbers_without_trailing_zeros():
    written = assess(LOADED, {"pain_duration_months": Decimal("30.50")}).model_dump_json()
    assert json.loads(written)["totals"]["predominance"]["points"] == 0
    assert '"points":0,' in written
