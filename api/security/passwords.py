"""Hashes passwords with Argon2id, and refuses weak ones.

Errors:

    WeakPasswordError    the practitioner must choose another; the message names a phrase
"""

import threading
import unicodedata
from collections.abc import Iterable
from functools import cache

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 200
MIN_STRENGTH_SCORE = 3
_SCORED_CHARACTERS = 72
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
_CONCURRENT_HASHES = threading.BoundedSemaphore(4)


class WeakPasswordError(ValueError):
    """The password is too weak; the message is the name of a phrase."""


def hash_password(password: str) -> str:
    """Return the hash to store of a password."""
    with _CONCURRENT_HASHES:
        return _HASHER.hash(_normalise(password))


def verify_password(password: str, stored_hash: str | None) -> bool:
    """Return True if the password matches; without a stored hash, False in the same time."""
    with _CONCURRENT_HASHES:
        try:
            is_match = _HASHER.verify(stored_hash or _dummy_hash(), _normalise(password))
        except (VerificationError, InvalidHashError):
            return False
    return is_match and stored_hash is not None


def check_password_strength(password: str, personal_words: Iterable[str]) -> None:
    """Raise WeakPasswordError for a short, long or easily guessed password."""
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise WeakPasswordError("password_short")
    if len(password) > MAX_PASSWORD_CHARACTERS:
        raise WeakPasswordError("password_long")
    estimate = zxcvbn(
        password[:_SCORED_CHARACTERS], user_inputs=[word.lower() for word in personal_words if word]
    )
    if estimate["score"] < MIN_STRENGTH_SCORE:
        raise WeakPasswordError("password_weak")


@cache
def _dummy_hash() -> str:
    return _HASHER.hash("no password")


def _normalise(password: str) -> bytes:
    text = unicodedata.normalize("NFKC", password[: MAX_PASSWORD_CHARACTERS + 1])
    return text.encode("utf-8", "replace")
