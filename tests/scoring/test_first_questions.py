"""The questions to answer first: those that must be answered, then those that move most."""

import pytest
from support.builders import load_example
from support.scoring.second_rulebook import FIRST_RULEBOOKS, load_second

from scoring.engine import assess
from scoring.first_questions import choose_first_questions

FIRST = FIRST_RULEBOOKS[0]
ANSWERS = load_example("widespread_pain")["answers"] | {
    "pain_ignores_territories": True,
    "lasting_local_relief": False,
    "nonphysical_triggers": True,
    "phq9_total": 9,
}
MUST_ANSWER = FIRST.rulebook.rulebook.must_answer


def choose(answers, loaded=FIRST):
    return choose_first_questions(loaded, answers, assess(loaded, answers))


def leave_out(*names):
    return {name: answer for name, answer in ANSWERS.items() if name not in names}


@pytest.mark.parametrize(
    ("unanswered", "first"),
    [
        ((), ()),
        (("sss_cognition", "phq4_nervous"), ("phq4_nervous", "gad7_total", "sss_cognition")),
        (
            ("age_years", "physical_explanation", "rf_general"),
            ("age_years", "rf_general", "physical_explanation"),
        ),
        (
            ("pain_moves_or_spreads", "onset_injury", "phq4_nervous", "pain_extent"),
            ("pain_extent", "onset_injury", "phq4_nervous"),
        ),
        (
            ("focal_tenderness", "mechanical_provocation", "physical_explanation", "fatigue"),
            ("physical_explanation", "mechanical_provocation", "focal_tenderness"),
        ),
    ],
)
def test_what_must_be_answered_comes_first_then_what_moves_the_total_most(unanswered, first):
    assert choose(leave_out(*unanswered)) == first


def test_only_the_first_twelve_questions_are_tried():
    answers = {name: ANSWERS[name] for name in MUST_ANSWER}
    assert choose(answers) == (
        "physical_explanation",
        "evoked_on_examination",
        "sensory_or_motor_loss",
    )


def test_the_second_generation_names_them_itself():
    assert choose({}, load_second()) == ("age_years", "pain_duration_months", "cancer_ever")


@pytest.mark.parametrize("loaded", [FIRST, load_second()], ids=lambda it: it.name)
def test_a_withheld_result_has_no_first_questions(loaded):
    option = loaded.questions["rf_spine_and_nerves"].options[0].id
    answers = {"rf_spine_and_nerves": [option]}
    assert assess(loaded, answers).status == "withheld_red_flag"
    assert choose(answers, loaded) == ()
