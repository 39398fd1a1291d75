"""Passwords: hashed by argon2id, slowly on purpose; refused where they are easily guessed.

Errors:

    WeakPasswordError    whoever chooses must choose another; its message names a phrase
"""

import threading
import unicodedata
from collections.abc import Iterable
from functools import cache

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

SHORTEST = 12
LONGEST = 200
STRONG_ENOUGH = 3
_LOOKED_AT = 72
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
_AT_ONCE = threading.BoundedSemaphore(4)


class WeakPasswordError(ValueError):
    """The password is no good; the message is the name of a phrase."""


def hashed_password(password: str) -> str:
    """What is kept of a password."""
    with _AT_ONCE:
        return _HASHER.hash(_plain(password))


def is_password(password: str, kept: str | None) -> bool:
    """Whether this is the password; where there is none, found in the same time to be wrong."""
    with _AT_ONCE:
        try:
            right = _HASHER.verify(kept or _nobodys(), _plain(password))
        except (VerificationError, InvalidHashError):
            return False
    return right and kept is not None


def check_strength(password: str, about: Iterable[str]) -> None:
    """Raise WeakPasswordError for what is short, or guessed by who knows these words."""
    if len(password) < SHORTEST:
        raise WeakPasswordError("password_short")
    if len(password) > LONGEST:
        raise WeakPasswordError("password_long")
    told = zxcvbn(password[:_LOOKED_AT], user_inputs=[each.lower() for each in about if each])
    if told["score"] < STRONG_ENOUGH:
        raise WeakPasswordError("password_weak")


@cache
def _nobodys() -> str:
    return _HASHER.hash("of nobody")


def _plain(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password[: LONGEST + 1]).encode("utf-8", "replace")
