"""Decodes signed tokens in compact form (JWS) without verifying them.

Length, characters and nesting are limited before decoding. Ambiguous input is refused:
non-canonical base64url, duplicate names, NaN and lone surrogates.
"""

import json
import math
import re
from typing import Any, NamedTuple, NoReturn

from api.security.base64url import decode_base64url

MAX_TOKEN_CHARACTERS = 8192
MAX_BRACKETS = 32
MAX_DIGITS = 17
KID_PATTERN = re.compile(r"[A-Za-z0-9._:~/+=@-]{1,128}")
_SHAPE = re.compile(r"[A-Za-z0-9_-]{2,1200}\.[A-Za-z0-9_-]{2,6000}\.[A-Za-z0-9_-]{2,1366}")
_BRACKET = re.compile(r"[\[{]")


class UnverifiedToken(NamedTuple):
    """The unverified header and claims of a token."""

    header: dict[str, Any]
    claims: dict[str, Any]


def decode_unverified(text: str) -> UnverifiedToken:
    """Decode the header and the claims. Raises ValueError if the text is no signed token."""
    if len(text) > MAX_TOKEN_CHARACTERS or not _SHAPE.fullmatch(text):
        raise ValueError("expected three parts of base64url")
    header, claims, signature = text.split(".")
    decode_base64url(signature)
    return UnverifiedToken(_parse_object(header), _parse_object(claims))


def _parse_object(part: str) -> dict[str, Any]:
    text = decode_base64url(part).decode("utf-8")
    if len(_BRACKET.findall(text)) > MAX_BRACKETS:
        raise ValueError("expected hardly any nesting")
    value = _DECODER.decode(text)
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate is a ValueError
    return value


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("expected each name once")
    return members


def _reject_constant(_: str) -> NoReturn:
    raise ValueError("expected finite numbers")


def _parse_integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise ValueError("expected shorter numbers")
    return int(text)


def _parse_fraction(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("expected finite numbers")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_members,
    parse_constant=_reject_constant,
    parse_int=_parse_integer,
    parse_float=_parse_fraction,
)
