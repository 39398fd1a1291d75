"""Answers to draw: any rulebook's questions in, Hypothesis strategies of flat answers out."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st

from schemas.rulebook import Question
from scoring.compiled_rulebook import LoadedRulebook

Answers = dict[str, Any]


def answer_to(question: Question) -> st.SearchStrategy[Any]:
    """Any answer that the question accepts."""
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
    """Some of the questions answered, in any way."""
    return st.fixed_dictionaries(
        {}, optional={each.id: answer_to(each) for each in loaded.rulebook.question}
    )


@cache
def unflagged_answers(loaded: LoadedRulebook) -> st.SearchStrategy[Answers]:
    """Within scope and without a checked red flag, the rest answered or not in any way."""
    required = set(loaded.rulebook.rulebook.must_answer)
    fixed: dict[str, st.SearchStrategy[Any]] = {}
    for each in loaded.rulebook.question:
        if each.id in loaded.rulebook.rulebook.safety_questions:
            fixed[each.id] = st.just(())
        elif each.id == "diagnoses":
            fixed[each.id] = answer_to(each).filter(lambda marked: "active_cancer" not in marked)
        elif each.id in required and each.id not in ("age_years", "pain_duration_months"):
            fixed[each.id] = answer_to(each)
    if "age_years" in loaded.questions:
        fixed["age_years"] = st.integers(18, 90)
        fixed["pain_duration_months"] = st.integers(3, 400).map(Decimal)
    out_of_scope = {"pregnant", "surgery_within_3_months", "cannot_self_report"}
    optional = {
        each.id: st.just(False) if each.id in out_of_scope else answer_to(each)
        for each in loaded.rulebook.question
        if each.id not in fixed
    }
    return st.fixed_dictionaries(fixed, optional=optional)


@cache
def full_answers(loaded: LoadedRulebook) -> st.SearchStrategy[Answers]:
    """Every question answered, in any way."""
    return st.fixed_dictionaries({each.id: answer_to(each) for each in loaded.rulebook.question})


def complete(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> st.SearchStrategy[Answers]:
    """The same answers with every open question answered, in any way."""
    return full_answers(loaded).map(lambda drawn: {**drawn, **answers})


def without(answers: Mapping[str, Any], names: Iterable[str]) -> Answers:
    """The answers with these questions left open."""
    left_open = set(names)
    return {name: answer for name, answer in answers.items() if name not in left_open}
