"""What the words of a condition mean: each becomes a function from facts to true, false or unknown.

Facts are answers and derived values by id; what is absent or None is unknown. Joining follows
Kleene: one false part settles `all`, one true part settles `any`, whatever else is unknown.
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


def test(  # noqa: C901, PLR0911 - one line for each word of a closed set
    condition: Condition, questions: Mapping[str, Question]
) -> Test:
    """The condition as a function of facts; `questions` tell which options a group holds."""
    match condition:
        case Is(subject=subject, is_=expected):
            return _when_known(subject, lambda known: bool(known == expected))
        case OneOf(subject=subject, one_of=options):
            return _when_known(subject, frozenset(options).__contains__)
        case AtLeast(subject=subject, at_least=edge):
            return _when_known(subject, lambda known: bool(known >= edge))
        case AtMost(subject=subject, at_most=edge):
            return _when_known(subject, lambda known: bool(known <= edge))
        case Includes():
            wanted = options_named(condition, questions)
            return _when_known(condition.subject, lambda known: not wanted.isdisjoint(known))
        case CountsAtLeast(subject=subject, counts_at_least=least):
            return _when_known(subject, lambda known: len(known) >= least)
        case All(all=parts):
            return _joined([test(part, questions) for part in parts], settles=False)
        case Any(any=parts):
            return _joined([test(part, questions) for part in parts], settles=True)
        case Not(not_=part):
            return _negated(test(part, questions))
        case Always():
            return lambda _: True
    raise TypeError(f"no meaning is given to the condition {type(condition).__name__}")


def options_named(condition: Includes, questions: Mapping[str, Question]) -> frozenset[str]:
    """The options that an `includes` asks for, its groups opened."""
    groups = questions[condition.subject].groups
    return frozenset(option for name in condition.includes for option in groups.get(name, (name,)))


def found(
    condition: Condition, facts: Facts, questions: Mapping[str, Question]
) -> Iterable[tuple[str, str]]:
    """The marked options, as (question, option), that make the condition hold."""
    match condition:
        case Includes(subject=subject):
            wanted = options_named(condition, questions)
            yield from (
                (subject, option) for option in facts.get(subject) or () if option in wanted
            )
        case All(all=parts) | Any(any=parts):
            for part in parts:
                yield from found(part, facts, questions)


def _when_known(subject: str, holds: Callable[[Anything], bool]) -> Test:
    def known_and_holds(facts: Facts) -> Truth:
        known = facts.get(subject)
        return None if known is None else holds(known)

    return known_and_holds


def _joined(parts: list[Test], *, settles: bool) -> Test:
    def joined(facts: Facts) -> Truth:
        unknown = False
        for part in parts:
            truth = part(facts)
            if truth is settles:
                return settles
            unknown = unknown or truth is None
        return None if unknown else not settles

    return joined


def _negated(part: Test) -> Test:
    def negated(facts: Facts) -> Truth:
        truth = part(facts)
        return None if truth is None else not truth

    return negated
