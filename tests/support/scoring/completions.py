"""Completions of an intake: every question that applies is answered, and no second instrument."""

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st
from support.scoring.answer_strategies import Answers, answer_to

from schemas.rulebooks.conditions import Condition, Either, list_parts
from scoring.answers.question_dependencies import find_condition_questions
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import compile_condition


def draw_completion(data: st.DataObject, loaded: LoadedRulebook, answers: Answers) -> Answers:
    """Return the answers with every other question that applies answered.

    First those that always apply, so that it is known of each other one whether it does.
    """
    completion = dict(answers)
    for question in sorted(loaded.rulebook.question, key=lambda it: it.ask_when is not None):
        intake = loaded.read_answers(completion)
        is_open = intake.is_open(question.id) and question.id not in intake.undecided
        if is_open and question.id not in list_second_instruments(loaded, completion):
            completion[question.id] = data.draw(answer_to(question))
    return completion


def list_second_instruments(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> set[str]:
    """Return the questions of instruments that another, settled instrument replaces."""
    facts = loaded.derive_facts(answers)
    spared: set[str] = set()
    for condition in _find_alternatives(loaded):
        settled = [compile_condition(part, loaded.questions)(facts) for part in condition.either]
        if any(truth is not None for truth in settled):
            for part, truth in zip(condition.either, settled, strict=True):
                if truth is None:
                    spared |= {*find_condition_questions([part], loaded.derived_by_id)}
    return spared


def _find_alternatives(loaded: LoadedRulebook) -> Iterator[Either]:
    for criterion in loaded.rulebook.criterion:
        for level in criterion.level:
            yield from _iterate_either(level.when)


def _iterate_either(condition: Condition) -> Iterator[Either]:
    if isinstance(condition, Either):
        yield condition
    for part in list_parts(condition):
        yield from _iterate_either(part)
