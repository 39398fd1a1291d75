"""Compiles conditions of a rulebook into functions from facts to true, false or unknown.

Facts are answers and derived values by id; an absent or None fact is unknown. Conditions are joined
by Kleene's three-valued logic: one false part decides `all`, one true part decides `any`, even if
other parts are unknown.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any as Anything

from schemas.conditions import (
    All,
    Always,
    Any,
    AtLeast,
    AtMost,
    Condition,
    CountsAtLeast,
    Includes,
    Is,
    Not,
    OneOf,
)
from schemas.rulebook import Question

Facts = Mapping[str, Anything]
Truth = bool | None
Test = Callable[[Facts], Truth]


def test(  # noqa: C901, PLR0911 - one case for each word of a closed set
    condition: Condition, questions: Mapping[str, Question]
) -> Test:
    """Compile the condition; `questions` define the options of each group."""
    match condition:
        case Is(subject=subject, is_=expected):
            return _test_known_fact(subject, lambda fact: bool(fact == expected))
        case OneOf(subject=subject, one_of=options):
            return _test_known_fact(subject, frozenset(options).__contains__)
        case AtLeast(subject=subject, at_least=edge):
            return _test_known_fact(subject, lambda fact: bool(fact >= edge))
        case AtMost(subject=subject, at_most=edge):
            return _test_known_fact(subject, lambda fact: bool(fact <= edge))
        case Includes():
            included = options_named(condition, questions)
            return _test_known_fact(condition.subject, lambda fact: not included.isdisjoint(fact))
        case CountsAtLeast(subject=subject, counts_at_least=least):
            return _test_known_fact(subject, lambda fact: len(fact) >= least)
        case All(all=parts):
            return _join([test(part, questions) for part in parts], deciding=False)
        case Any(any=parts):
            return _join([test(part, questions) for part in parts], deciding=True)
        case Not(not_=part):
            return _negate(test(part, questions))
        case Always():
            return lambda _: True
    raise TypeError(f"no meaning is given to the condition {type(condition).__name__}")


def options_named(condition: Includes, questions: Mapping[str, Question]) -> frozenset[str]:
    """Return the options an `includes` condition names, with each group replaced by its options."""
    groups = questions[condition.subject].groups
    return frozenset(option for name in condition.includes for option in groups.get(name, (name,)))


def found(
    condition: Condition, facts: Facts, questions: Mapping[str, Question]
) -> Iterable[tuple[str, str]]:
    """Yield the marked options, as (question id, option id), that make the condition true."""
    match condition:
        case Includes(subject=subject):
            options = options_named(condition, questions)
            marked = facts.get(subject) or ()
            yield from ((subject, option) for option in marked if option in options)
        case All(all=parts) | Any(any=parts):
            for part in parts:
                yield from found(part, facts, questions)


def _test_known_fact(subject: str, holds: Callable[[Anything], bool]) -> Test:
    def test_fact(facts: Facts) -> Truth:
        fact = facts.get(subject)
        return None if fact is None else holds(fact)

    return test_fact


def _join(parts: list[Test], *, deciding: bool) -> Test:
    def test_parts(facts: Facts) -> Truth:
        unknown = False
        for part in parts:
            truth = part(facts)
            if truth is deciding:
                return deciding
            unknown = unknown or truth is None
        return None if unknown else not deciding

    return test_parts


def _negate(part: Test) -> Test:
    def test_negation(facts: Facts) -> Truth:
        truth = part(facts)
        return None if truth is None else not truth

    return test_negation
