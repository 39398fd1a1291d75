"""Next steps by results, their cautions, and the patient's sheet."""

import pytest
from support.scoring.small_second_rulebook import load_small_second

from scoring.engine import assess

SMALL = load_small_second()
SCORED = {"age": 40, "indoors": False, "storms": (), "winds": (), "rain": False, "fog": True}
SCORED |= {"first_scale": 5, "shelter": "none"}


def judge(answers, *, attested=False):
    return assess(SMALL, answers, attested=attested)


def steps(answers):
    return [step.id for step in judge(answers).next_steps]


def test_a_step_is_given_where_its_results_hold():
    assert judge(SCORED).status == "scored"
    assert steps(SCORED) == ["check_again", "walk", "again"]
    assert steps({**SCORED, "frost": False}) == ["check_again", "again"]
    assert steps({**SCORED, "shelter": "roof"}) == ["walk", "again"]


def test_a_step_is_not_given_where_something_speaks_against_it():
    rainy = {**SCORED, "rain": True, "drizzle": True}
    assert "walk" in steps(rainy)
    assert "walk" not in steps({**rainy, "drizzle": False})


def test_what_is_unknown_does_not_speak_against_a_step():
    assert "walk" in steps({**SCORED, "rain": True})


def test_steps_are_given_by_rung():
    assessment = judge({**SCORED, "storms": ("hail",)})
    assert [(step.id, step.rung) for step in assessment.next_steps] == [
        ("act", 1),
        ("check_again", 2),
        ("walk", 6),
        ("again", 7),
    ]


@pytest.mark.parametrize(
    ("changes", "cautions"),
    [
        ({}, ()),
        ({"age": 65}, ("Careful from 65.",)),
        ({"fog": None, "frost": None}, None),
    ],
)
def test_a_caution_stands_under_its_step_where_it_is_true(changes, cautions):
    cautions_by_step = {step.id: step.cautions for step in judge({**SCORED, **changes}).next_steps}
    assert cautions_by_step.get("walk") == cautions


def test_an_unanswered_question_can_be_a_caution():
    answers = {**SCORED, "fog": None, "winds": ("north",), "gusts": (), "frost": True}
    assert all("Ask about fog." not in step.cautions for step in judge(answers).next_steps)
    assert "Fog was not asked about." in judge(answers).limitations
    assert "Fog was not asked about." not in judge(SCORED).limitations


@pytest.mark.parametrize(
    ("changes", "is_given"),
    [
        ({}, False),
        ({"age": None}, False),
        ({"storms": None}, True),
        ({"months": 481}, True),
        ({"winds": ("west",), "gusts": ("short",)}, True),
    ],
)
def test_a_step_reads_every_kind_of_result(changes, is_given):
    answers = {**SCORED, "shelter": "roof", **changes}
    assert ("check_again" in steps(answers)) is is_given


def test_a_withheld_assessment_has_no_steps_but_a_sheet():
    assessment = judge({**SCORED, "storms": ("gale", "dread")})
    assert assessment.next_steps is None
    assert (assessment.sheet.kind, assessment.sheet.crisis_lines) == ("emergency", True)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "evidence"),
        ({"storms": ("gale",)}, "emergency"),
        ({"storms": ("dread",)}, "evidence"),
        ({"storms": ("gale",), "age": 10}, "emergency"),
        ({"age": 10}, "plain"),
        ({"age": None}, "plain"),
    ],
)
def test_the_first_sheet_whose_condition_is_true_is_chosen(changes, kind):
    assert judge({**SCORED, **changes}).sheet.kind == kind


def test_an_assessed_flag_is_not_an_emergency():
    answers = {**SCORED, "storms": ("thunder",), "looked_at": ("roof_leak",)}
    assert judge(answers).sheet.kind == "emergency"
    assert judge(answers, attested=True).sheet.kind == "evidence"


def test_crisis_lines_follow_their_own_condition():
    assert judge({**SCORED, "storms": ("dread",)}).sheet.crisis_lines is True
    assert judge({**SCORED, "storms": None}).sheet.crisis_lines is False
