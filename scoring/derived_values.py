"""Derived values: counted from answers before any rule reads them. Unknown in, unknown out."""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from schemas.rulebook import Derived, Question
from scoring.conditions import Facts, test

Count = Callable[[Facts], Any]


def counted(derived: Derived, questions: Mapping[str, Question]) -> Count:
    """The derived value as a function of facts; it gives None while a part it needs is unknown."""
    if derived.when is not None:
        return test(derived.when, questions)
    if derived.question is None:
        return _added(derived.sum_of) if derived.sum_of else _averaged(derived.mean_of)
    groups = questions[derived.question].groups
    if derived.options_in is not None:
        return _options_marked(derived.question, frozenset(groups[derived.options_in]))
    return _groups_marked(derived.question, [frozenset(groups[name]) for name in derived.groups_in])


def _options_marked(question: str, group: frozenset[str]) -> Count:
    def options_marked(facts: Facts) -> int | None:
        marked = facts.get(question)
        return None if marked is None else len(group.intersection(marked))

    return options_marked


def _groups_marked(question: str, groups: list[frozenset[str]]) -> Count:
    def groups_marked(facts: Facts) -> int | None:
        marked = facts.get(question)
        return None if marked is None else sum(not group.isdisjoint(marked) for group in groups)

    return groups_marked


def _added(parts: tuple[str, ...]) -> Count:
    def added(facts: Facts) -> int | None:
        answers = [facts.get(part) for part in parts]
        return None if None in answers else sum(int(answer or 0) for answer in answers)

    return added


def _averaged(parts: tuple[str, ...]) -> Count:
    add = _added(parts)

    def averaged(facts: Facts) -> Decimal | None:
        total = add(facts)
        mean = None if total is None else Decimal(total) / len(parts)
        return None if mean is None else mean.quantize(Decimal("0.01"), ROUND_HALF_UP)

    return averaged
