"""The compact form of a signed token: text in, header and claims out, nothing yet believed.

Everything is measured before it is decoded: length, characters, nesting. What can be read in two
ways is not read: another spelling of base64url, a name given twice, NaN, a lone surrogate.
"""

import json
import math
import re
from typing import Any, NamedTuple, NoReturn

from api.security.base64url import decoded

LONGEST = 8192
BRACKETS = 32
DIGITS = 17
KID = re.compile(r"[A-Za-z0-9._:~/+=@-]{1,128}")
_SHAPE = re.compile(r"[A-Za-z0-9_-]{2,1200}\.[A-Za-z0-9_-]{2,6000}\.[A-Za-z0-9_-]{2,1366}")
_BRACKET = re.compile(r"[\[{]")


class Opened(NamedTuple):
    """What a token says of itself, unproved."""

    header: dict[str, Any]
    claims: dict[str, Any]


def opened(text: str) -> Opened:
    """The header and the claims. Raises ValueError for whatever is not plainly a signed token."""
    if len(text) > LONGEST or not _SHAPE.fullmatch(text):
        raise ValueError("expected three parts of base64url")
    header, claims, signature = text.split(".")
    decoded(signature)
    return Opened(_object(header), _object(claims))


def _object(part: str) -> dict[str, Any]:
    text = decoded(part).decode("utf-8")
    if len(_BRACKET.findall(text)) > BRACKETS:
        raise ValueError("expected hardly any nesting")
    value = _DECODER.decode(text)
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate is a ValueError
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("expected each name once")
    return members


def _constant(_: str) -> NoReturn:
    raise ValueError("expected finite numbers")


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > DIGITS:
        raise ValueError("expected shorter numbers")
    return int(text)


def _fraction(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("expected finite numbers")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_constant=_constant, parse_int=_whole, parse_float=_fraction
)
