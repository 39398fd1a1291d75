"""Credentials: client secrets and API keys, made at random and kept as a hash only.

Both hold 256 random bits, which no one can try out: SHA-256 is enough, and no slow hash is needed.
Their prefixes are there to be found by secret scanners. An API key ends in a checksum, so that a
mistyped one, or any other text, is refused without a look at what is stored.
"""

import hashlib
import re
import secrets
from hmac import compare_digest
from typing import NamedTuple

API_KEY_LENGTH = 9 + 16 + 1 + 43 + 8
_API_KEY = re.compile(r"nsk_(?:live|test)_([0-9a-f]{16})\.[A-Za-z0-9_-]{43}[0-9a-f]{8}")
_CHECKSUM_LENGTH = 8


class ApiKey(NamedTuple):
    """A new API key: the text is shown once, id and hash are kept."""

    id: str
    text: str
    hash: str


def new_secret() -> str:
    """A client secret: `nss_` and 256 random bits."""
    return "nss_" + secrets.token_urlsafe(32)


def new_link_secret() -> str:
    """What the address of a link ends in: 256 random bits, nothing else."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """What is kept of a secret or an API key: SHA-256 in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def matches(secret: str, hash: str) -> bool:  # noqa: A002 - the word of the table
    """Whether this is the secret of the hash, found in a time that tells nothing."""
    return compare_digest(hashed(secret).encode(), hash.encode("utf-8", "surrogatepass"))


def new_api_key(*, test: bool) -> ApiKey:
    """A new key, `nsk_live_<id>.<secret><checksum>`, or `nsk_test_...` for a test organisation."""
    identity = secrets.token_hex(8)
    start = f"nsk_{'test' if test else 'live'}_{identity}.{secrets.token_urlsafe(32)}"
    text = start + _checksum(start)
    return ApiKey(identity, text, hashed(text))


def read_api_key(text: str) -> tuple[str, str]:
    """The id of the key and the hash of its whole text. ValueError for what is no API key."""
    shaped = _API_KEY.fullmatch(text) if len(text) == API_KEY_LENGTH else None
    if shaped is None or _checksum(text[:-_CHECKSUM_LENGTH]) != text[-_CHECKSUM_LENGTH:]:
        raise ValueError("expected an API key")
    return shaped[1], hashed(text)


def looks_like_api_key(text: str) -> bool:
    """Whether the text means to be an API key, whole or not."""
    return text.startswith("nsk_")


def _checksum(start: str) -> str:
    return hashed(start)[:_CHECKSUM_LENGTH]
