"""Base model and field types: frozen, closed to unknown keys, with exact numbers."""

import json
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic_core import SchemaSerializer

T = TypeVar("T")


class FrozenModel(BaseModel):
    """An immutable model that rejects unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FrozenPart:
    """Base of frozen dataclasses inside models: cheap to build, validated only when parsed.

    A part remembers its JSON, as it never changes.
    """

    __slots__ = ("json",)
    __pydantic_config__ = FrozenModel.model_config
    json: bytes

    def __getattr__(self, name: str) -> bytes:
        """Write the part as a JSON object when its JSON is first read."""
        if name != "json":
            raise AttributeError(name)
        part_type: Any = type(self)
        content = _find_serializer(part_type).to_json(self, by_alias=True)
        object.__setattr__(self, "json", content)
        return content


@cache
def _find_serializer(part_type: Any) -> SchemaSerializer:
    return TypeAdapter(part_type).serializer


def encode_json(value: Any) -> bytes:
    """Return plain data as compact JSON. Raises ValueError for a number that JSON does not have."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def to_json_number(value: Decimal) -> int | float:
    """Return the JSON number for a decimal, without trailing zeros: 18, 1.5, 0.25."""
    return int(value) if value == value.to_integral_value() else float(value)


def to_exact_decimal(value: Any) -> Any:
    """Return a number as the decimal it was written as. Raises ValueError for text and booleans."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a number")
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _check_two_decimals(value: Decimal) -> Decimal:
    exponent = value.normalize().as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -2:
        raise ValueError("must be a number with at most two decimals")
    return value


Many = Annotated[tuple[T, ...], Field(strict=False)]
"""A tuple of any length, an array in JSON and TOML."""

Points = Annotated[
    Decimal,
    Field(strict=False, allow_inf_nan=False),
    BeforeValidator(to_exact_decimal),
    AfterValidator(_check_two_decimals),
    PlainSerializer(to_json_number, return_type=int | float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
"""Points: an exact number with at most two decimals."""

ExactDecimal = Annotated[
    Decimal,
    Field(strict=False),
    PlainSerializer(to_json_number, return_type=int | float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
"""A number calculated by the engine, exact to two decimals."""

Share = Annotated[
    Points, Field(ge=0, le=1), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})
]
"""A fraction from 0 to 1, exact to the hundredth."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal digits."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$", max_length=80)]
"""A permanent id, used as JSON key, CSV column and FHIR linkId."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
"""Text for people, never empty."""
