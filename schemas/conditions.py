"""The closed set of conditions a rulebook can contain.

A condition is a statement about one question or one derived value, or joins other conditions.
There are no expressions to evaluate: a new kind of condition is a new class here. Their meaning is
defined in `scoring.conditions`.
"""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from schemas.base import FrozenModel, Many, Name, Points


class Statement(FrozenModel):
    """A condition on one question or one derived value."""

    question: Name | None = None
    derived: Name | None = None

    @model_validator(mode="after")
    def _check_one_subject(self) -> "Statement":
        if (self.question is None) == (self.derived is None):
            raise ValueError("a condition names exactly one of 'question' and 'derived'")
        return self

    @property
    def subject(self) -> str:
        """The id of the question or derived value."""
        return self.question or self.derived or ""


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


class AllOf(FrozenModel):
    """True if every part is true."""

    all: Many["Condition"] = Field(min_length=1)


class AnyOf(FrozenModel):
    """True if at least one part is true."""

    any: Many["Condition"] = Field(min_length=1)


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
    "all": AllOf,
    "any": AnyOf,
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
    | Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[Always, Tag("always")],
    Discriminator(
        _find_word,
        custom_error_type="condition",
        custom_error_message=f"a condition has exactly one of the words {', '.join(_WORDS)}",
    ),
]
"""A condition on the answers: true, false or unknown."""

for _model in (AllOf, AnyOf, Not):
    _model.model_rebuild()


def iterate_statements(condition: "Condition | None") -> Iterator[Statement]:
    """Yield every statement inside a condition, in the order written."""
    match condition:
        case Statement():
            yield condition
        case AllOf(all=parts) | AnyOf(any=parts):
            for part in parts:
                yield from iterate_statements(part)
        case Not(not_=part):
            yield from iterate_statements(part)
