"""Compiles conditions of a rulebook into functions from facts to true, false or unknown.

Facts are answers and derived values by id; an absent or None fact is unknown. Conditions are joined
by Kleene's three-valued logic: one false part decides `all`, one true part decides `any`, even if
other parts are unknown. Only `either` departs from it: one known part is enough.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.rulebooks.conditions import (
    AllOf,
    Always,
    AnyOf,
    AtLeast,
    AtLeastOf,
    AtMost,
    Condition,
    CountsAtLeast,
    Either,
    HasAnswer,
    Includes,
    Is,
    Not,
    OneOf,
    list_parts,
)
from schemas.rulebooks.rulebook import Question

Facts = Mapping[str, Any]
Truth = bool | None
CompiledCondition = Callable[[Facts], Truth]


def compile_condition(  # noqa: PLR0911 - one case for each word of a closed set
    condition: Condition, questions: Mapping[str, Question]
) -> CompiledCondition:
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
            included = expand_options(condition, questions)
            return _test_known_fact(condition.subject, lambda fact: not included.isdisjoint(fact))
        case CountsAtLeast(subject=subject, counts_at_least=least):
            return _test_known_fact(subject, lambda fact: len(fact) >= least)
        case HasAnswer(subject=subject):
            return lambda facts: facts.get(subject) is not None
        case Always():
            return lambda _: True
    return _compile_joined(
        condition, [compile_condition(part, questions) for part in list_parts(condition)]
    )


def expand_options(condition: Includes, questions: Mapping[str, Question]) -> frozenset[str]:
    """Return the options an `includes` condition names, with each group replaced by its options."""
    groups = questions[condition.subject].groups
    return frozenset(option for name in condition.includes for option in groups.get(name, (name,)))


def find_matching_options(
    condition: Condition, facts: Facts, questions: Mapping[str, Question]
) -> Iterable[tuple[str, str]]:
    """Yield the marked options, as (question id, option id), that make the condition true."""
    match condition:
        case Includes(subject=subject):
            options = expand_options(condition, questions)
            answer = facts.get(subject) or ()
            yield from ((subject, option) for option in answer if option in options)
        case AllOf() | AnyOf() | AtLeastOf() | Either():
            for part in list_parts(condition):
                yield from find_matching_options(part, facts, questions)


def _compile_joined(condition: Condition, parts: list[CompiledCondition]) -> CompiledCondition:
    match condition:
        case AllOf():
            return _join(parts, deciding=False)
        case AnyOf():
            return _join(parts, deciding=True)
        case AtLeastOf(at_least_of=least):
            return _count(parts, least)
        case Either():
            return _settle(parts)
        case Not():
            return _negate(parts[0])
    raise TypeError(f"no meaning is given to the condition {type(condition).__name__}")


def _test_known_fact(subject: str, holds: Callable[[Any], bool]) -> CompiledCondition:
    def test_fact(facts: Facts) -> Truth:
        fact = facts.get(subject)
        return None if fact is None else holds(fact)

    return test_fact


def _join(parts: list[CompiledCondition], *, deciding: bool) -> CompiledCondition:
    def test_parts(facts: Facts) -> Truth:
        unknown = False
        for part in parts:
            truth = part(facts)
            if truth is deciding:
                return deciding
            unknown = unknown or truth is None
        return None if unknown else not deciding

    return test_parts


def _count(parts: list[CompiledCondition], least: int) -> CompiledCondition:
    def test_number(facts: Facts) -> Truth:
        truths = [part(facts) for part in parts]
        if truths.count(True) >= least:
            return True
        return False if len(truths) - truths.count(False) < least else None

    return test_number


def _settle(parts: list[CompiledCondition]) -> CompiledCondition:
    def test_known_parts(facts: Facts) -> Truth:
        truths = [part(facts) for part in parts]
        return True if True in truths else False if False in truths else None

    return test_known_parts


def _negate(part: CompiledCondition) -> CompiledCondition:
    def test_negation(facts: Facts) -> Truth:
        truth = part(facts)
        return None if truth is None else not truth

    return test_negation
