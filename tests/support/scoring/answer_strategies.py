"""Hypothesis strategies for the answers to any rulebook."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st

from schemas.rulebooks.rulebook import Question
from scoring.compiled_rulebook import LoadedRulebook

Answers = dict[str, Any]


def answer_to(question: Question) -> st.SearchStrategy[Any]:
    """Return a strategy for any answer that the question accepts."""
    options = [option.id for option in question.options]
    match question.kind:
        case "boolean":
            return st.booleans()
        case "choice":
            return st.sampled_from(options)
        case "multi":
            return st.lists(st.sampled_from(options), unique=True, max_size=5).map(tuple)
        case "integer":
            return st.integers(int(question.minimum), int(question.maximum))
        case "decimal":
            least, most = int(question.minimum * 100), int(question.maximum * 100)
            near = st.sampled_from([0, 299, 300, 301]).filter(lambda n: least <= n <= most)
            return (near | st.integers(least, most)).map(lambda n: Decimal(n) / 100)


@cache
def partial_answers(loaded: LoadedRulebook) -> st.SearchStrategy[Answers]:
    """Return a strategy for any answers to some of the questions."""
    return st.fixed_dictionaries(
        {}, optional={question.id: answer_to(question) for question in loaded.rulebook.question}
    )


@cache
def unflagged_answers(loaded: LoadedRulebook) -> st.SearchStrategy[Answers]:
    """Return a strategy for answers in scope and without red flag, the rest arbitrary."""
    header = loaded.rulebook.rulebook
    required = {*header.must_answer, *header.safety_questions}
    flag_ids = {flag.id for flag in loaded.rulebook.flag}
    fixed: dict[str, st.SearchStrategy[Any]] = {}
    for question in loaded.rulebook.question:
        if question.options and {option.id for option in question.options} <= flag_ids:
            fixed[question.id] = st.just(())
        elif question.id == "cancer_ever":
            fixed[question.id] = st.just(False)
        elif question.id == "diagnoses":
            fixed[question.id] = answer_to(question).filter(
                lambda options: "active_cancer" not in options
            )
        elif question.id in required and question.id not in ("age_years", "pain_duration_months"):
            fixed[question.id] = answer_to(question)
    if "age_years" in loaded.questions:
        fixed["age_years"] = st.integers(18, 90)
        fixed["pain_duration_months"] = st.integers(3, 400).map(Decimal)
    if "age" in loaded.questions:
        fixed["age"] = st.integers(18, 90)
    out_of_scope = {"pregnant", "surgery_within_3_months", "cannot_self_report", "indoors"}
    optional = {
        question.id: st.just(False) if question.id in out_of_scope else answer_to(question)
        for question in loaded.rulebook.question
        if question.id not in fixed
    }
    return st.fixed_dictionaries(fixed, optional=optional)


@cache
def full_answers(loaded: LoadedRulebook) -> st.SearchStrategy[Answers]:
    """Return a strategy for any answers to all questions."""
    return st.fixed_dictionaries(
        {question.id: answer_to(question) for question in loaded.rulebook.question}
    )


def complete(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> st.SearchStrategy[Answers]:
    """Return a strategy for these answers with all other questions answered."""
    return full_answers(loaded).map(lambda full: {**full, **answers})


def without(answers: Mapping[str, Any], names: Iterable[str]) -> Answers:
    """Return the answers without those to these questions."""
    unanswered = set(names)
    return {name: answer for name, answer in answers.items() if name not in unanswered}
