"""Decodes signed tokens in compact form (JWS) without verifying them.

Length, characters and nesting are limited before decoding. Ambiguous input is refused:
non-canonical base64url, and all that is not strict JSON.
"""

import re
from typing import Any, NamedTuple

from api.security.base64url import decode_base64url
from api.security.strict_json import decode_json

MAX_TOKEN_CHARACTERS = 8192
MAX_BRACKETS = 32
KID_PATTERN = re.compile(r"[A-Za-z0-9._:~/+=@-]{1,128}")
_SHAPE = re.compile(r"[A-Za-z0-9_-]{2,1200}\.[A-Za-z0-9_-]{2,6000}\.[A-Za-z0-9_-]{2,1366}")
_BRACKET = re.compile(rb"[\[{]")


class UnverifiedToken(NamedTuple):
    """The unverified header and claims of a token."""

    header: dict[str, Any]
    claims: dict[str, Any]


def decode_unverified(text: str) -> UnverifiedToken:
    """Decode the header and the claims. Raises ValueError if the text is not a signed token."""
    if len(text) > MAX_TOKEN_CHARACTERS or not _SHAPE.fullmatch(text):
        raise ValueError("expected three parts of base64url")
    header, claims, signature = text.split(".")
    decode_base64url(signature)
    return UnverifiedToken(_parse_object(header), _parse_object(claims))


def _parse_object(part: str) -> dict[str, Any]:
    text = decode_base64url(part)
    if len(_BRACKET.findall(text)) > MAX_BRACKETS:
        raise ValueError(f"expected at most {MAX_BRACKETS} lists and objects")
    value = decode_json(text, normalise=False)
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    return value
