"""Reach: whether any answers at all make a condition true, found by trying those that could matter.

Only answers that a condition can tell apart are tried: each option, both truth values, the
numbers at and beside each edge. Derived values are tried on their own, within what they can count
to.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

from schemas.conditions import AtLeast, AtMost, Condition, CountsAtLeast, Statement, statements
from schemas.rulebook import Criterion, Derived, Question, Rulebook
from scoring.conditions import Facts, test


def unreached_levels(criterion: Criterion, book: Rulebook) -> list[str]:
    """Levels that no answers reach: an earlier one always holds, or their own never does."""
    questions = {each.id: each for each in book.question}
    conditions = [level.when for level in criterion.level]
    tests = [test(condition, questions) for condition in conditions]
    reached = {
        next((place for place, holds in enumerate(tests) if holds(facts)), None)
        for facts in _tried(conditions, book)
    }
    return [level.id for place, level in enumerate(criterion.level) if place not in reached]


def never_true(condition: Condition, book: Rulebook) -> bool:
    """Whether no answers make the condition true."""
    holds = test(condition, {each.id: each for each in book.question})
    return not any(holds(facts) for facts in _tried([condition], book))


def _tried(conditions: Sequence[Condition], book: Rulebook) -> Iterator[Facts]:
    spoken: dict[str, list[Statement]] = {}
    for each in (each for condition in conditions for each in statements(condition)):
        spoken.setdefault(each.subject, []).append(each)
    questions = {each.id: each for each in book.question}
    derived = {each.id: each for each in book.derived}
    values = [
        _answers(questions[name], said)
        if name in questions
        else _counts(derived[name], questions, said)
        for name, said in spoken.items()
    ]
    for chosen in product(*values):
        yield dict(zip(spoken, chosen, strict=True))


def _answers(question: Question, said: Iterable[Statement]) -> list[Any]:
    options = [option.id for option in question.options]
    match question.kind:
        case "boolean":
            return [True, False]
        case "choice":
            return list(options)
        case "multi":
            counts = [each.counts_at_least for each in said if isinstance(each, CountsAtLeast)]
            sizes = {size for count in counts for size in (count - 1, count)}
            some = [tuple(options[:size]) for size in sorted(sizes)]
            return [(), *((option,) for option in options), *some, tuple(options)]
        case "integer":
            return _numbers(said, question.minimum, question.maximum, Decimal(1))
        case "decimal":
            return _numbers(said, question.minimum, question.maximum, Decimal("0.01"))


def _counts(
    derived: Derived, questions: dict[str, Question], said: Iterable[Statement]
) -> list[Any]:
    if derived.when is not None:
        return [True, False]
    if derived.groups_in:
        most = len(derived.groups_in)
    elif derived.options_in:
        most = len(questions[derived.question or ""].groups[derived.options_in])
    else:
        parts = derived.sum_of or derived.mean_of
        added = sum(int(questions[part].maximum or 1) for part in parts)
        most = added // len(parts) if derived.mean_of else added
    return _numbers(
        said, Decimal(0), Decimal(most), Decimal("0.01") if derived.mean_of else Decimal(1)
    )


def _numbers(
    said: Iterable[Statement], least: Decimal | None, most: Decimal | None, step: Decimal
) -> list[Any]:
    if least is None or most is None:
        return []
    edges = [each.at_least for each in said if isinstance(each, AtLeast)]
    edges += [each.at_most for each in said if isinstance(each, AtMost)]
    near = {least, most, *(edge + move for edge in edges for move in (-step, 0, step))}
    return sorted(number for number in near if least <= number <= most)
