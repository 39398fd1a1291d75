"""Remembered results of criteria: an earlier intake never shows in a later one."""

from decimal import Decimal

import pytest
from support.builders import load_example

from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess

ANSWERS = {
    "pain_sites": (["neck"], ["neck", "lower_back"], ["lower_back"], []),
    "pain_symmetric": (True, False, None),
    "sss_fatigue": (1, True, Decimal("1.0"), 1),
}


@pytest.mark.parametrize("question", ANSWERS)
def test_an_assessment_does_not_depend_on_those_before(nociplastic, question):
    answers = load_example("widespread_pain")["answers"]
    loaded = LoadedRulebook(nociplastic.rulebook, nociplastic.sha256)
    for answer in ANSWERS[question] * 2:
        intake = answers | {question: answer}
        fresh = LoadedRulebook(nociplastic.rulebook, nociplastic.sha256)
        expected = assess(fresh, intake).model_dump_json(by_alias=True)
        assert assess(loaded, intake).model_dump_json(by_alias=True) == expected
