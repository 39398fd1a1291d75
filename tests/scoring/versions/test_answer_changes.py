"""The files that carry answers: found by both versions, and checked against them."""

import pytest
from pydantic import ValidationError
from support.scoring.second_rulebook import FIRST_RULEBOOKS, load_second

from schemas.rulebooks.answer_changes import AnswerChanges
from scoring.catalogue import RULEBOOKS_FOLDER, RulebookError
from scoring.versions.answer_changes import (
    UnknownChangesError,
    can_carry_answers,
    find_change_faults,
    load_carrier,
)

OLD, PHQ4 = FIRST_RULEBOOKS
NEW = load_second()
FILE = RULEBOOKS_FOLDER / "nociplastic" / "changes" / "1.0.0-2.0.0.toml"
HEADER = {"instrument": "nociplastic", "from_version": "1.0.0", "to_version": "2.0.0"}


def write_changes(folder, text):
    target = folder / "nociplastic" / "changes" / "1.0.0-2.0.0.toml"
    target.parent.mkdir(parents=True)
    target.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("old", "new"), [(NEW, OLD), (OLD, OLD), (PHQ4, NEW), (PHQ4, PHQ4)])
def test_answers_are_carried_only_where_a_file_says_how(old, new):
    assert can_carry_answers(OLD, NEW)
    assert not can_carry_answers(old, new)
    with pytest.raises(UnknownChangesError):
        load_carrier(old, new)


def test_a_change_that_is_left_out_is_named(tmp_path):
    text = FILE.read_text(encoding="utf-8")
    folder = write_changes(tmp_path, text.replace('id = "sleep_broken"', 'id = "sleep_poor"'))
    with pytest.raises(RulebookError) as failure:
        load_carrier(OLD, NEW, folder)
    assert str(failure.value).splitlines() == [
        "1.0.0-2.0.0.toml: question sleep_poor: is not a boolean question of nociplastic@1.0.0",
        "1.0.0-2.0.0.toml: question sleep_broken: no change says what becomes of it",
    ]


@pytest.mark.parametrize("text", ["instrument = ", 'instrument = "nociplastic"\n'])
def test_a_broken_file_is_named(tmp_path, text):
    with pytest.raises(RulebookError, match=r"1\.0\.0-2\.0\.0\.toml"):
        load_carrier(OLD, NEW, write_changes(tmp_path, text))


def test_a_file_of_other_versions_is_refused():
    changes = AnswerChanges.model_validate({**HEADER, "to_version": "3.0.0"})
    assert find_change_faults(changes, OLD, NEW) == [
        "is of nociplastic@1.0.0 to 3.0.0, not of nociplastic@1.0.0 to nociplastic@2.0.0"
    ]


def test_unknown_names_and_lost_options_are_named():
    changes = AnswerChanges.model_validate(
        {
            **HEADER,
            "ask_unless_carried": ["snow"],
            "question": [{"id": "sleep_broken", "becomes": ["naps"]}],
            "option": [
                {"question": "rf_general", "id": "hail", "becomes": ["fever_or_rigors"]},
                {"question": "rf_general", "id": "history_of_cancer", "sets": {"frost": True}},
                {
                    "question": "rf_head_and_face",
                    "id": "rash_in_one_nerve_band",
                    "becomes": ["rash"],
                    "in_question": "rf_general",
                },
            ],
        }
    )
    faults = find_change_faults(changes, OLD, NEW)
    assert faults[:5] == [
        "unknown question snow",
        "unknown question naps",
        "unknown question frost",
        "option rf_general > hail: is not one of nociplastic@1.0.0",
        "option rf_general > rash: is not one of nociplastic@2.0.0",
    ]
    lost = "option rf_limbs_and_joints > cold_pale_or_pulseless_limb"
    assert f"{lost}: no change says what becomes of it" in faults
    assert "question active_inflammation: no change says what becomes of it" in faults


@pytest.mark.parametrize(
    "block",
    [
        {"question": [{"id": "a", "becomes": ["b"], "where_true": {"c": True}}]},
        {"question": [{"id": "a", "becomes": []}]},
        {"option": [{"question": "a", "id": "b"}]},
        {"option": [{"question": "a", "id": "b", "becomes": ["c"], "sets": {"d": True}}]},
        {"option": [{"question": "a", "id": "b", "sets": {"d": True}, "asks_again": True}]},
    ],
)
def test_a_change_has_one_effect(block):
    with pytest.raises(ValidationError):
        AnswerChanges.model_validate({**HEADER, **block})
