"""The closed set of conditions a rulebook can contain.

A condition is a statement about one question, derived value or result, or joins other conditions.
There are no expressions to evaluate: a new kind of condition is a new class here. Their meaning is
defined in `scoring.conditions`.
"""

from collections.abc import Iterator
from operator import not_
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from schemas.base import FrozenModel, Many, Name, Points


class Statement(FrozenModel):
    """A condition on one question, one derived value or one result of the same assessment."""

    question: Name | None = None
    derived: Name | None = None
    result: Name | None = Field(default=None, exclude_if=not_)

    @model_validator(mode="after")
    def _check_one_subject(self) -> "Statement":
        if sum(name is not None for name in (self.question, self.derived, self.result)) != 1:
            raise ValueError("a condition names exactly one of 'question', 'derived' and 'result'")
        return self

    @property
    def subject(self) -> str:
        """The id of the question or derived value, or the name of the result's fact."""
        return self.question or self.derived or result_fact_name(self.result or "")


def result_fact_name(result: str) -> str:
    """Return the name that a result has among the facts; no question can have it."""
    return f"result.{result}"


class Is(Statement):
    """True if the answer is this truth value or this option."""

    is_: bool | Name = Field(alias="is")


class OneOf(Statement):
    """True if the answer to a choice is one of these options."""

    one_of: Many[Name] = Field(min_length=1)


class AtLeast(Statement):
    """True if the number is at least this."""

    at_least: Points


class AtMost(Statement):
    """True if the number is at most this."""

    at_most: Points


class Includes(Statement):
    """True if any of these options, or of the options in these groups, is marked."""

    includes: Many[Name] = Field(min_length=1)


class CountsAtLeast(Statement):
    """True if at least this many options are marked."""

    counts_at_least: int = Field(ge=1)


class HasAnswer(Statement):
    """True if the answer or derived value is known, otherwise false; never unknown."""

    answered: bool

    @model_validator(mode="after")
    def _check_true(self) -> "HasAnswer":
        if self.answered is not True:
            raise ValueError("'answered' can only be true")
        return self


class AllOf(FrozenModel):
    """True if every part is true."""

    all: Many["Condition"] = Field(min_length=1)


class AnyOf(FrozenModel):
    """True if at least one part is true."""

    any: Many["Condition"] = Field(min_length=1)


class AtLeastOf(FrozenModel):
    """True if at least this many parts are true, false if so many can no longer be true."""

    at_least_of: int = Field(ge=1)
    of: Many["Condition"] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_number(self) -> "AtLeastOf":
        if self.at_least_of > len(self.of):
            raise ValueError("'at_least_of' is larger than the number of parts in 'of'")
        return self


class Either(FrozenModel):
    """True if a part is true, else false if a part is false: one complete part is enough."""

    either: Many["Condition"] = Field(min_length=2)


class Not(FrozenModel):
    """True if the part is false."""

    not_: "Condition" = Field(alias="not")


class Always(FrozenModel):
    """True for all answers; used for the last level of a criterion."""

    always: bool

    @model_validator(mode="after")
    def _check_true(self) -> "Always":
        if self.always is not True:
            raise ValueError("'always' can only be true")
        return self


_WORDS: dict[str, type[FrozenModel]] = {
    "is": Is,
    "one_of": OneOf,
    "at_least": AtLeast,
    "at_most": AtMost,
    "includes": Includes,
    "counts_at_least": CountsAtLeast,
    "answered": HasAnswer,
    "all": AllOf,
    "any": AnyOf,
    "at_least_of": AtLeastOf,
    "either": Either,
    "not": Not,
    "always": Always,
}


def _find_word(table: Any) -> str | None:
    if isinstance(table, FrozenModel):
        return next(word for word, kind in _WORDS.items() if isinstance(table, kind))
    matches = [word for word in _WORDS if word in table] if isinstance(table, dict) else []
    return matches[0] if len(matches) == 1 else None


Condition = Annotated[
    Annotated[Is, Tag("is")]
    | Annotated[OneOf, Tag("one_of")]
    | Annotated[AtLeast, Tag("at_least")]
    | Annotated[AtMost, Tag("at_most")]
    | Annotated[Includes, Tag("includes")]
    | Annotated[CountsAtLeast, Tag("counts_at_least")]
    | Annotated[HasAnswer, Tag("answered")]
    | Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[AtLeastOf, Tag("at_least_of")]
    | Annotated[Either, Tag("either")]
    | Annotated[Not, Tag("not")]
    | Annotated[Always, Tag("always")],
    Discriminator(
        _find_word,
        custom_error_type="condition",
        custom_error_message=f"a condition has exactly one of the words {', '.join(_WORDS)}",
    ),
]
"""A condition on the answers: true, false or unknown."""

for _model in (AllOf, AnyOf, AtLeastOf, Either, Not):
    _model.model_rebuild()


def iterate_statements(condition: "Condition | None") -> Iterator[Statement]:
    """Yield every statement inside a condition, in the order written."""
    if isinstance(condition, Statement):
        yield condition
    for part in list_parts(condition):
        yield from iterate_statements(part)


def list_subjects(*conditions: "Condition | None") -> tuple[str, ...]:
    """Return the names of all facts that the conditions read, without duplicates, in order."""
    return tuple(
        dict.fromkeys(
            statement.subject
            for condition in conditions
            for statement in iterate_statements(condition)
        )
    )


def list_parts(condition: "Condition | None") -> tuple["Condition", ...]:
    """Return the conditions that this one joins; none for a statement."""
    match condition:
        case AllOf(all=parts) | AnyOf(any=parts) | AtLeastOf(of=parts) | Either(either=parts):
            return parts
        case Not(not_=part):
            return (part,)
    return ()
