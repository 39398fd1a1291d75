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
    questions = {
        question.id: {
            "id": question.id,
            "topic": question.topic,
            "who": question.who,
            "kind": question.kind,
            "minimum": question.minimum,
            "maximum": question.maximum,
            "options": {option.id for option in question.options},
        }
        for question in LOADED.rulebook.question
    }
    specified = {
        question["id"]: {"minimum": None, "maximum": None, **question}
        for question in oracle.TABLE["question"]
    }
    for question_spec in specified.values():
        question_spec["options"] = set(question_spec.get("options", ()))
    assert list(questions) == list(specified)
    assert questions == specified


def test_the_criteria_are_those_of_the_specification():
    """Domain, grade, levels, points and discounts, number by number."""
    criteria = [
        {
            "id": criterion.id,
            "domain": criterion.domain,
            "grade": criterion.grade,
            "points": {level.id: level.points for level in criterion.level},
            "factors": [discount.factor for discount in criterion.discount],
        }
        for criterion in LOADED.rulebook.criterion
    ]
    assert criteria == [
        {
            "id": spec["id"],
            "domain": spec["domain"],
            "grade": spec["grade"],
            "points": {level["id"]: level["points"] for level in spec["levels"]},
            "factors": [discount["factor"] for discount in spec.get("discounts", ())],
        }
        for spec in oracle.TABLE["criterion"]
    ]
    assert len(criteria) == 36


def test_the_domains_are_those_of_the_specification():
    assert [(domain.id, domain.floor, domain.ceiling) for domain in LOADED.rulebook.domain] == [
        (domain["id"], domain["floor"], domain["ceiling"]) for domain in oracle.TABLE["domain"]
    ]


def test_the_red_flags_are_those_of_the_specification():
    oracle_tiers = {flag["id"]: flag["tier"] for flag in oracle.TABLE["flag"]}
    rulebook_tiers = {flag.id: flag.tier for flag in LOADED.rulebook.flag}
    assert {name: rulebook_tiers.get(name) for name in oracle_tiers} == oracle_tiers
    assert {flag.id for flag in LOADED.rulebook.flag if flag.about_person} == oracle.PERSONAL
    assert len(rulebook_tiers) == len(oracle_tiers) + 7


@pytest.mark.parametrize("flag", oracle.TABLE["flag"], ids=lambda flag: flag["id"])
def test_each_red_flag_is_raised_by_its_own_option_alone(flag):
    assessment = assess(LOADED, {flag["question"]: (flag["id"],)})
    assert [(flag.id, flag.tier) for flag in assessment.safety.flags] == [
        (flag["id"], flag["tier"])
    ]
    assert assessment.safety.tier == flag["tier"]


def test_the_regions_are_those_of_the_specification():
    derived = {site: assess(LOADED, {"pain_sites": (site,)}).derived for site in oracle.SITES}
    assert len(derived) == 23
    assert {site: (values["regions"], values["wpi"]) for site, values in derived.items()} == {
        site: (1, int(spec["in_wpi"])) for site, spec in oracle.SITES.items()
    }


def test_points_are_json_numbers_without_trailing_zeros():
    json_text = assess(LOADED, {"pain_duration_months": Decimal("30.50")}).model_dump_json()
    assert json.loads(json_text)["totals"]["predominance"]["points"] == 0
    assert '"points":0,' in json_text
