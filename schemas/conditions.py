"""The closed set of words in which a rulebook states when something holds.

A condition names one question or one derived value and says one thing about it, or joins other
conditions. There are no expressions to evaluate: a new word is a new class here, and nothing else
is accepted. What the words mean is in `scoring.conditions`.
"""

from collections.abc import Iterator
from typing import Annotated
from typing import Any as Anything

from pydantic import Discriminator, Field, Tag, model_validator

from schemas.base import Frozen, Many, Name, Points


class Statement(Frozen):
    """One thing said about one question or one derived value."""

    question: Name | None = None
    derived: Name | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> "Statement":
        if (self.question is None) == (self.derived is None):
            raise ValueError("a condition names exactly one of 'question' and 'derived'")
        return self

    @property
    def subject(self) -> str:
        """The id of the question or derived value spoken of."""
        return self.question or self.derived or ""


class Is(Statement):
    """The answer is this truth value or this option."""

    is_: bool | Name = Field(alias="is")


class OneOf(Statement):
    """The answer to a choice is one of these options."""

    one_of: Many[Name] = Field(min_length=1)


class AtLeast(Statement):
    """The number is this or more."""

    at_least: Points


class AtMost(Statement):
    """The number is this or less."""

    at_most: Points


class Includes(Statement):
    """Any of these options, or of the options in these groups, is marked."""

    includes: Many[Name] = Field(min_length=1)


class CountsAtLeast(Statement):
    """This many options or more are marked."""

    counts_at_least: int = Field(ge=1)


class All(Frozen):
    """Every part holds."""

    all: Many["Condition"] = Field(min_length=1)


class Any(Frozen):
    """One part or more holds."""

    any: Many["Condition"] = Field(min_length=1)


class Not(Frozen):
    """The part does not hold."""

    not_: "Condition" = Field(alias="not")


class Always(Frozen):
    """Holds whatever was answered; the last level of a criterion may say so."""

    always: bool

    @model_validator(mode="after")
    def _only_true(self) -> "Always":
        if self.always is not True:
            raise ValueError("'always' can only be true")
        return self


_WORDS: dict[str, type[Frozen]] = {
    "is": Is,
    "one_of": OneOf,
    "at_least": AtLeast,
    "at_most": AtMost,
    "includes": Includes,
    "counts_at_least": CountsAtLeast,
    "all": All,
    "any": Any,
    "not": Not,
    "always": Always,
}


def _word(table: Anything) -> str | None:
    if isinstance(table, Frozen):
        return next(word for word, kind in _WORDS.items() if isinstance(table, kind))
    found = [word for word in _WORDS if word in table] if isinstance(table, dict) else []
    return found[0] if len(found) == 1 else None


Condition = Annotated[
    Annotated[Is, Tag("is")]
    | Annotated[OneOf, Tag("one_of")]
    | Annotated[AtLeast, Tag("at_least")]
    | Annotated[AtMost, Tag("at_most")]
    | Annotated[Includes, Tag("includes")]
    | Annotated[CountsAtLeast, Tag("counts_at_least")]
    | Annotated[All, Tag("all")]
    | Annotated[Any, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[Always, Tag("always")],
    Discriminator(
        _word,
        custom_error_type="condition",
        custom_error_message=f"a condition has exactly one of the words {', '.join(_WORDS)}",
    ),
]
"""A claim about the answers that is true, false or unknown."""

for _joined in (All, Any, Not):
    _joined.model_rebuild()


def statements(condition: "Condition | None") -> Iterator[Statement]:
    """Every statement inside a condition, in the order written."""
    match condition:
        case Statement():
            yield condition
        case All(all=parts) | Any(any=parts):
            for part in parts:
                yield from statements(part)
        case Not(not_=part):
            yield from statements(part)
