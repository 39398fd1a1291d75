"""What conditions depend on, and the name of the block that each condition stands in."""

import pytest
from support.scoring.small_second_rulebook import load_small_second, read_second_table

from schemas.rulebooks.rulebook import Rulebook
from scoring.answers.question_dependencies import (
    find_derived_questions,
    find_late_values,
    iterate_conditions,
)

SMALL = load_small_second()
CONDITION_BLOCKS = """
question indoors, question drizzle, question gusts, question shelter_depth, derived is_windy,
derived rains_hard, derived is_open_case, criterion W1 > level hard, criterion W1 > level any,
criterion W1 > level none, criterion W2 > level true, criterion W2 > level false,
criterion W2 > discount, criterion W2 > discount, criterion W3 > level true,
criterion W3 > level false, criterion M1 > level high, criterion M1 > level low,
criterion H1 > level roof, criterion H1 > level cave, criterion H1 > level none, band strong,
acceptable_range 3, flag hail, flag hail > unless, flag thunder, flag gale, flag dread, flag cold,
scope young, scope indoors, grading beaufort > grade windy, alternative leak > sign 1,
alternative leak > sign 2, alternative draught > sign 1, alternative draught > unless,
contradiction calm_gusts, contradiction older_than_life, caution old, caution fog_open,
next_step walk, next_step walk > not_when, next_step act, next_step check_again, next_step again,
sheet 1, sheet 2, sheet 3, sheet 4, rulebook > crisis_lines_when, limitation 3, limitation 4
"""


def test_each_condition_is_named_by_its_block_in_the_file():
    names = [name for name, _ in iterate_conditions(SMALL.rulebook)]
    assert names == CONDITION_BLOCKS.replace("\n", " ").strip().split(", ")


def test_a_value_of_whole_years_depends_on_what_it_counts():
    derived = SMALL.derived_by_id
    assert find_derived_questions(derived["onset_age"], derived) == ["age", "months"]


@pytest.mark.parametrize(
    ("condition", "is_late"),
    [
        ({"question": "fog", "is": True}, False),
        ({"question": "fog", "answered": True}, True),
        ({"result": "status", "is": "scored"}, True),
        ({"derived": "is_open_case", "is": True}, True),
        ({"derived": "is_windy", "is": True}, False),
    ],
)
def test_a_value_is_late_if_it_reads_a_result_or_whether_something_is_answered(condition, is_late):
    table = read_second_table()
    table["derived"].append({"id": "added", "label": "Added", "when": condition})
    rulebook = Rulebook.model_validate(table)
    assert ("added" in find_late_values(rulebook)) is is_late
