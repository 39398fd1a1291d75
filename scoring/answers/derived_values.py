"""Compiles derived values, which are calculated from answers before any criterion reads them."""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from schemas.rulebooks.rulebook import Derived, Question, WholeYears
from scoring.conditions import Facts, compile_condition
from scoring.weighing import to_hundredths

Calculation = Callable[[Facts], Any]


def compile_derived_value(derived: Derived, questions: Mapping[str, Question]) -> Calculation:
    """Compile the derived value; its function returns None while a fact it needs is unknown."""
    if derived.when is not None:
        return compile_condition(derived.when, questions)
    if derived.whole_years is not None:
        return _count_whole_years(derived.whole_years)
    if derived.question is None:
        return _add(derived.sum_of) if derived.sum_of else _average(derived.mean_of)
    groups = questions[derived.question].groups
    if derived.options_in is not None:
        return _count_options(derived.question, frozenset(groups[derived.options_in]))
    return _count_groups(derived.question, [frozenset(groups[name]) for name in derived.groups_in])


def _count_options(question: str, group: frozenset[str]) -> Calculation:
    def count(facts: Facts) -> int | None:
        options = facts.get(question)
        return None if options is None else len(group.intersection(options))

    return count


def _count_groups(question: str, groups: list[frozenset[str]]) -> Calculation:
    def count(facts: Facts) -> int | None:
        options = facts.get(question)
        return None if options is None else sum(not group.isdisjoint(options) for group in groups)

    return count


def _count_whole_years(part: WholeYears) -> Calculation:
    def count(facts: Facts) -> int | None:
        years, months = facts.get(part.years), facts.get(part.less_months)
        if years is None or months is None:
            return None
        return (12 * to_hundredths(years) - to_hundredths(months)) // 1200

    return count


def _add(ids: tuple[str, ...]) -> Calculation:
    def add(facts: Facts) -> int | None:
        answers = [facts.get(name) for name in ids]
        return None if None in answers else sum(int(answer or 0) for answer in answers)

    return add


def _average(ids: tuple[str, ...]) -> Calculation:
    add = _add(ids)

    def average(facts: Facts) -> Decimal | None:
        total = add(facts)
        if total is None:
            return None
        return (Decimal(total) / len(ids)).quantize(Decimal("0.01"), ROUND_HALF_UP)

    return average
