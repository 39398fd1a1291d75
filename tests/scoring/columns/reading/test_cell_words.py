"""Several words in one cell are told apart, also where one begins like another."""

import pytest
from support.scoring.small_second_rulebook import load_small_second

from scoring.columns.reading.cell_words import CellWords

LABELS = {"the wind": "south", "the wind from the north, cold": "north"}


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        ("The wind from the north, cold", "north"),
        ("The wind, the wind from the north, cold", "south|north"),
        ("The wind from the north, cold; The wind", "north|south"),
        ("The wind from the east", None),
        ("The wind;", None),
    ],
)
def test_the_longest_label_that_fits_is_read(cell, answer):
    words = CellWords(load_small_second().questions["winds"], LABELS)
    assert words.parse(cell) == answer
