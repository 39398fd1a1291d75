"""Finds levels and conditions that no answers can make true, by trying the answers that matter.

Only answers that a condition distinguishes are tried: each option, both truth values, and the
numbers at and next to each edge. Derived values are tried independently, within their own limits.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

from schemas.conditions import (
    AtLeast,
    AtMost,
    Condition,
    CountsAtLeast,
    Statement,
    iterate_statements,
)
from schemas.rulebook import Criterion, Derived, Question, Rulebook
from scoring.conditions import Facts, compile_condition


def find_unreachable_levels(criterion: Criterion, book: Rulebook) -> list[str]:
    """Return the levels that no answers reach: an earlier level always applies, or theirs never."""
    questions = book.questions_by_id
    conditions = [level.when for level in criterion.level]
    tests = [compile_condition(condition, questions) for condition in conditions]
    reachable_levels = {
        next((index for index, holds in enumerate(tests) if holds(facts)), None)
        for facts in _generate_facts(conditions, book)
    }
    return [
        level.id for index, level in enumerate(criterion.level) if index not in reachable_levels
    ]


def is_never_true(condition: Condition, book: Rulebook) -> bool:
    """Return whether no answers make the condition true."""
    holds = compile_condition(condition, book.questions_by_id)
    return not any(holds(facts) for facts in _generate_facts([condition], book))


def _generate_facts(conditions: Sequence[Condition], book: Rulebook) -> Iterator[Facts]:
    by_subject: dict[str, list[Statement]] = {}
    for condition in conditions:
        for statement in iterate_statements(condition):
            by_subject.setdefault(statement.subject, []).append(statement)
    questions = book.questions_by_id
    derived = {value.id: value for value in book.derived}
    values = [
        _candidate_answers(questions[name], claims)
        if name in questions
        else _candidate_values(derived[name], questions, claims)
        for name, claims in by_subject.items()
    ]
    for combination in product(*values):
        yield dict(zip(by_subject, combination, strict=True))


def _candidate_answers(question: Question, claims: Iterable[Statement]) -> list[Any]:
    options = [option.id for option in question.options]
    match question.kind:
        case "boolean":
            return [True, False]
        case "choice":
            return list(options)
        case "multi":
            counts = [claim.counts_at_least for claim in claims if isinstance(claim, CountsAtLeast)]
            sizes = {size for count in counts for size in (count - 1, count)}
            subsets = [tuple(options[:size]) for size in sorted(sizes)]
            return [(), *((option,) for option in options), *subsets, tuple(options)]
        case "integer":
            return _candidate_numbers(claims, question.minimum, question.maximum, Decimal(1))
        case "decimal":
            return _candidate_numbers(claims, question.minimum, question.maximum, Decimal("0.01"))


def _candidate_values(
    derived: Derived, questions: dict[str, Question], claims: Iterable[Statement]
) -> list[Any]:
    if derived.when is not None:
        return [True, False]
    if derived.groups_in:
        most = len(derived.groups_in)
    elif derived.options_in:
        most = len(questions[derived.question or ""].groups[derived.options_in])
    else:
        parts = derived.sum_of or derived.mean_of
        largest_sum = sum(int(questions[part].maximum or 1) for part in parts)
        most = largest_sum // len(parts) if derived.mean_of else largest_sum
    return _candidate_numbers(
        claims, Decimal(0), Decimal(most), Decimal("0.01") if derived.mean_of else Decimal(1)
    )


def _candidate_numbers(
    claims: Iterable[Statement], least: Decimal | None, most: Decimal | None, step: Decimal
) -> list[Any]:
    if least is None or most is None:
        return []
    edges = [claim.at_least for claim in claims if isinstance(claim, AtLeast)]
    edges += [claim.at_most for claim in claims if isinstance(claim, AtMost)]
    candidates = {least, most, *(edge + move for edge in edges for move in (-step, 0, step))}
    return sorted(number for number in candidates if least <= number <= most)
