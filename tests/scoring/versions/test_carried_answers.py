"""Answers to 1.0.0 carried to 2.0.0: what is kept, what is asked again, what was never asked."""

import pytest
from hypothesis import given
from support.scoring.answer_strategies import partial_answers
from support.scoring.second_rulebook import FIRST_RULEBOOKS, load_second

from scoring.answer_model import find_answer_model
from scoring.versions.answer_changes import load_carrier

OLD, NEW = FIRST_RULEBOOKS[0], load_second()


def carry(**answers):
    return load_carrier(OLD, NEW).carry_answers(answers)


def asked_again(**answers):
    return {it.question: it.because_of for it in carry(**answers).ask_again}


CANCER = {"cancer_ever": ("rf_spine_and_nerves", "rf_general")}


@pytest.mark.parametrize(
    ("question", "answer", "answers", "again"),
    [
        ("sleep_broken", False, {"wakes_at_night": False, "sleep_unrefreshing": False}, ()),
        ("sleep_broken", True, {}, ("wakes_at_night", "sleep_unrefreshing")),
        ("better_when_absorbed", False, {"less_when_absorbed": False}, ()),
        ("better_when_absorbed", True, {}, ("less_when_absorbed",)),
        ("mechanical_provocation", True, {"load_provokes": True, "rest_settles": True}, ()),
        ("mechanical_provocation", False, {}, ("load_provokes", "rest_settles")),
        ("morning_stiffness_over_30_min", True, {"morning_stiffness": True}, ()),
        ("morning_stiffness_over_30_min", False, {}, ("morning_stiffness",)),
        (
            "active_inflammation",
            False,
            {"swollen_joints": False, "inflammatory_disease_active": False},
            ("raised_inflammatory_marker",),
        ),
        (
            "active_inflammation",
            True,
            {},
            ("swollen_joints", "raised_inflammatory_marker", "inflammatory_disease_active"),
        ),
        (
            "sensory_or_motor_loss",
            False,
            {"sensory_loss": False, "motor_or_reflex_loss": False},
            (),
        ),
        ("sensory_or_motor_loss", True, {}, ("sensory_loss", "motor_or_reflex_loss")),
    ],
)
def test_a_question_that_was_split_is_carried_where_both_say_the_same(
    question, answer, answers, again
):
    assert carry(**{question: answer}).answers == answers
    assert asked_again(**{question: answer}) == dict.fromkeys(again, (question,)) | CANCER


@pytest.mark.parametrize(
    ("question", "option", "options"),
    [
        (
            "rf_spine_and_nerves",
            "new_bladder_or_bowel_change",
            ("new_bladder_change", "new_bowel_change"),
        ),
        (
            "rf_spine_and_nerves",
            "spinal_pain_after_trauma_or_with_fragile_bone",
            ("spinal_pain_after_fall_or_accident", "spinal_pain_with_fragile_bone_or_steroids"),
        ),
        (
            "rf_head_and_face",
            "new_headache_from_50_or_jaw_claudication",
            ("new_headache_from_50", "jaw_pain_on_chewing"),
        ),
        (
            "rf_chest_and_abdomen",
            "bleeding_or_new_bowel_habit",
            ("blood_in_urine_or_stool", "new_bowel_habit_or_bloating"),
        ),
        ("rf_personal_safety", "unsafe_at_home", ("unsafe_at_home",)),
        ("rf_limbs_and_joints", "cannot_bear_weight", ("cannot_bear_weight",)),
        ("diagnoses", "gout", ("gout",)),
        ("medicines", "opioid", ("opioid",)),
    ],
)
def test_a_marked_option_is_carried_to_its_successors(question, option, options):
    assert carry(**{question: (option,)}).answers == {question: options}
    assert carry(**{question: ()}).answers == {question: ()}


@pytest.mark.parametrize(
    ("question", "option"),
    [
        ("rf_chest_and_abdomen", "tearing_or_pulsating_back_or_abdominal_pain"),
        ("rf_chest_and_abdomen", "lower_abdominal_pain_possible_pregnancy"),
        ("rf_limbs_and_joints", "cold_pale_or_pulseless_limb"),
        ("rf_head_and_face", "headache_worse_lying_or_straining"),
    ],
)
def test_an_option_whose_meaning_was_narrowed_leaves_its_whole_group_open(question, option):
    other = OLD.questions[question].options[0].id
    assert carry(**{question: (other, option)}).answers == {}
    assert asked_again(**{question: (other, option)}) == {question: (question,)} | CANCER


def test_a_rash_moves_to_its_new_group():
    rash = {"rf_head_and_face": ("rash_in_one_nerve_band",)}
    result = carry(**rash, rf_general=("fever_or_rigors",))
    assert result.answers["rf_head_and_face"] == ()
    assert result.answers["rf_general"] == ("fever_or_rigors", "rash_in_one_nerve_band")


def test_a_rash_whose_new_group_was_not_asked_is_asked_again():
    result = carry(rf_head_and_face=("rash_in_one_nerve_band",))
    assert result.answers == {"rf_head_and_face": ()}
    assert (
        asked_again(rf_head_and_face=("rash_in_one_nerve_band",))
        == {"rf_general": ("rf_head_and_face",)} | CANCER
    )


@pytest.mark.parametrize(
    ("question", "option"),
    [
        ("rf_spine_and_nerves", "cancer_history_with_spinal_pain"),
        ("rf_general", "history_of_cancer"),
    ],
)
def test_a_marked_cancer_is_carried_and_an_unmarked_one_is_asked_again(question, option):
    assert carry(**{question: (option,)}).answers == {question: (), "cancer_ever": True}
    assert asked_again(**{question: (option,)}) == {}
    assert asked_again(**{question: ()}) == CANCER
    assert asked_again() == CANCER


def test_options_that_are_new_were_not_asked():
    result = carry(diagnoses=("gout",), medicines=(), rf_personal_safety=())
    assert result.options_not_asked == {
        "diagnoses": (
            *("diabetes", "parkinsons_disease", "sickle_cell_disease"),
            "peripheral_arterial_disease",
        ),
        "medicines": ("aromatase_inhibitor",),
        "rf_personal_safety": ("rather_in_person",),
    }


def test_an_option_with_a_predecessor_was_asked_where_that_was():
    assert carry(rf_general=()).options_not_asked == {"rf_general": ("rash_in_one_nerve_band",)}
    assert carry(rf_general=(), rf_head_and_face=()).options_not_asked == {}
    assert carry(rf_spine_and_nerves=()).options_not_asked == {
        "rf_spine_and_nerves": ("new_sexual_dysfunction",)
    }


def test_what_kept_its_id_and_meaning_is_carried_as_sent():
    answers = {"age_years": 50, "fatigue": False, "pain_extent": "area", "ptsd": None}
    assert carry(**answers).answers == {"age_years": 50, "fatigue": False, "pain_extent": "area"}


@given(partial_answers(OLD))
def test_whatever_was_answered_is_accepted_by_the_new_version(answers):
    result = load_carrier(OLD, NEW).carry_answers(answers)
    assert (
        find_answer_model(NEW).model_validate(result.answers).model_dump(exclude_none=True)
        == result.answers
    )
    assert {it.question for it in result.ask_again}.isdisjoint(result.answers)
    order = list(NEW.questions)
    assert list(result.answers) == [name for name in order if name in result.answers]
    assert [it.question for it in result.ask_again] == [
        name for name in order if name in {it.question for it in result.ask_again}
    ]


@given(partial_answers(OLD))
def test_every_answer_is_carried_or_asked_again(answers):
    result = load_carrier(OLD, NEW).carry_answers(answers)
    sources = {name for it in result.ask_again for name in it.because_of}
    for name in answers:
        successors = {name} if name in NEW.questions else SUCCESSORS[name]
        assert name in sources or successors <= result.answers.keys()


SUCCESSORS = {
    "sleep_broken": {"wakes_at_night", "sleep_unrefreshing"},
    "better_when_absorbed": {"less_when_absorbed"},
    "mechanical_provocation": {"load_provokes", "rest_settles"},
    "morning_stiffness_over_30_min": {"morning_stiffness"},
    "active_inflammation": {"swollen_joints", "inflammatory_disease_active"},
    "sensory_or_motor_loss": {"sensory_loss", "motor_or_reflex_loss"},
}
