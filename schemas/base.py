"""What every shape here has in common: frozen, closed to unknown keys, exact in its numbers."""

from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

T = TypeVar("T")


class Frozen(BaseModel):
    """A value that never changes and has no key that its class does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Part:
    """A part of a larger value that is made often: a frozen dataclass, checked where it is read."""

    __slots__ = ()
    __pydantic_config__ = Frozen.model_config


def plain_number(value: Decimal) -> int | float:
    """The JSON number for an exact decimal, without trailing zeros: 18, 1.5, 0.25."""
    return int(value) if value == value.to_integral_value() else float(value)


def exact(value: Any) -> Any:
    """A number as the decimal it was written as; a text or a truth value is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a number")
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _two_decimals(value: Decimal) -> Decimal:
    exponent = value.normalize().as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -2:
        raise ValueError("must be a number with at most two decimals")
    return value


Many = Annotated[tuple[T, ...], Field(strict=False)]
"""Several in a fixed order; JSON and TOML write it as an array."""

Points = Annotated[
    Decimal,
    Field(strict=False, allow_inf_nan=False),
    BeforeValidator(exact),
    AfterValidator(_two_decimals),
    PlainSerializer(plain_number, return_type=int | float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
"""An exact number with at most two decimals; for the first rulebook, decibans."""

Exact = Annotated[
    Decimal,
    Field(strict=False),
    PlainSerializer(plain_number, return_type=int | float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
"""A number that the engine gives: exact to two decimals because it was added up that way."""

Share = Annotated[
    Points, Field(ge=0, le=1), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})
]
"""A part of one, 0 to 1, exact to the hundredth."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$", max_length=80)]
"""An id that is for ever: a JSON key, a CSV column, a FHIR linkId."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
"""Words for people, never empty."""
