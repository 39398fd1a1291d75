"""What is given with each status, and how the fields of the generation look in JSON."""

import json

import pytest
from support.scoring.small_second_rulebook import load_small_second

from schemas.assessments.assessment import Assessment
from scoring.catalogue import load_catalogue
from scoring.engine import assess

SMALL = load_small_second()
SCORED = {"age": 40, "indoors": False, "storms": (), "winds": (), "rain": False, "fog": True}
SCORED |= {"first_scale": 5, "shelter": "none", "frost": True}
ALWAYS = {"safety", "scope", "alternatives", "contradictions", "not_asked", "sheet", "confidential"}
ALWAYS |= {"rulebook", "rulebook_sha256", "status", "limitations"}
BESIDE = {"gradings", "derived", "next_steps"}
NEW = {"why_no_band", "ask_first", "not_asked", "alternatives", "contradictions", "sheet"}
NEW |= {"confidential"}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"storms": ("gale",)}, "withheld_red_flag"),
        ({"storms": ("gale",), "age": 10}, "withheld_red_flag"),
        ({"age": 10}, "out_of_scope"),
        ({"age": None}, "insufficient_information"),
        ({}, "scored"),
    ],
)
def test_what_is_not_given_with_a_status_is_null(changes, status):
    assessment = assess(SMALL, {**SCORED, **changes})
    table = json.loads(assessment.model_dump_json(by_alias=True))
    assert assessment.status == status
    assert set(table) == set(Assessment.model_fields)
    filled_fields = {name for name, part in table.items() if part is not None}
    match status:
        case "withheld_red_flag":
            assert filled_fields == ALWAYS
        case "out_of_scope":
            assert filled_fields == ALWAYS | BESIDE
        case _:
            assert filled_fields == set(table) - {"picture"}


def test_the_scope_is_given_with_every_status():
    assessment = assess(SMALL, {**SCORED, "storms": ("gale",), "indoors": None, "age": 10})
    assert [reason.id for reason in assessment.scope.reasons] == ["young"]
    assert assessment.scope.unanswered == ("indoors",)


@pytest.mark.parametrize(
    ("age", "unanswered"), [(55, ("indoors",)), (None, ("indoors",)), (56, ())]
)
def test_a_scope_question_that_does_not_apply_is_not_open(age, unanswered):
    assert assess(SMALL, {**SCORED, "age": age, "indoors": None}).scope.unanswered == unanswered


def test_an_assessment_survives_its_own_json():
    for answers in (SCORED, {**SCORED, "age": 10}, {"storms": ("gale",)}, {}):
        text = assess(SMALL, answers).model_dump_json(by_alias=True)
        assert Assessment.model_validate_json(text).model_dump_json(by_alias=True) == text


def test_a_rulebook_of_the_first_generation_gains_no_key():
    loaded = load_catalogue().find_version("nociplastic@1.0.0")
    flags = {"rf_spine_and_nerves": ("saddle_numbness",)}
    for answers in ({}, {"age_years": 40}, flags):
        table = assess(loaded, answers).model_dump(mode="json", by_alias=True)
        assert set(table) == set(Assessment.model_fields) - NEW
        assert all("about_person" not in flag for flag in table["safety"]["flags"])
        assert all("band_range" not in total for total in (table["totals"] or {}).values())
        assert all("rung" not in step for step in table["next_steps"] or ())
