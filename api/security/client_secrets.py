"""Generates and checks client secrets and API keys, which are stored as hashes only.

Both have 256 random bits, so a guess is hopeless and SHA-256 suffices instead of a slow hash. The
prefixes help secret scanners. An API key ends in a checksum, so that a mistyped one is refused
without a database query.
"""

import hashlib
import re
import secrets
from hmac import compare_digest
from typing import NamedTuple

API_KEY_LENGTH = 9 + 16 + 1 + 43 + 8
_API_KEY = re.compile(r"nsk_(?:live|test)_([0-9a-f]{16})\.[A-Za-z0-9_-]{43}[0-9a-f]{8}")
_CHECKSUM_LENGTH = 8


class GeneratedApiKey(NamedTuple):
    """A new API key: the text is shown once, its id and hash are stored."""

    id: str
    text: str
    hash: str


def generate_client_secret() -> str:
    """Generate a client secret: `nss_` and 256 random bits."""
    return "nss_" + secrets.token_urlsafe(32)


def generate_link_secret() -> str:
    """Generate the secret part of a link's URL: 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of a secret or API key in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def verify_secret(secret: str, hash: str) -> bool:  # noqa: A002 - the name of the column
    """Return True if the secret has this hash, compared in constant time."""
    return compare_digest(hash_secret(secret).encode(), hash.encode("utf-8", "surrogatepass"))


def generate_api_key(*, test: bool) -> GeneratedApiKey:
    """Generate `nsk_live_<id>.<secret><checksum>`, or `nsk_test_...` for a test organisation."""
    key_id = secrets.token_hex(8)
    unchecked = f"nsk_{'test' if test else 'live'}_{key_id}.{secrets.token_urlsafe(32)}"
    text = unchecked + _checksum(unchecked)
    return GeneratedApiKey(key_id, text, hash_secret(text))


def parse_api_key(text: str) -> tuple[str, str]:
    """Return the key's id and hash. Raises ValueError if the text is not an API key."""
    match = _API_KEY.fullmatch(text) if len(text) == API_KEY_LENGTH else None
    if match is None or _checksum(text[:-_CHECKSUM_LENGTH]) != text[-_CHECKSUM_LENGTH:]:
        raise ValueError("expected an API key")
    return match[1], hash_secret(text)


def has_api_key_prefix(text: str) -> bool:
    """Return True if the text starts like an API key, complete or not."""
    return text.startswith("nsk_")


def _checksum(start: str) -> str:
    return hash_secret(start)[:_CHECKSUM_LENGTH]
