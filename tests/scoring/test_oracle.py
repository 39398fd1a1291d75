"""The engine beside a second reading of the specification: they agree on everything."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from support.scoring import oracle
from support.scoring.agreement import LOADED, assert_agreement
from support.scoring.answer_strategies import partial_answers, unflagged_answers

from scoring.engine import assess


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
