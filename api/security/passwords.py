"""Hashes passwords with Argon2id, and refuses weak ones.

NIST SP 800-63B requires a comparison with common, expected and context-specific passwords. zxcvbn
ships 30,000 common ones in English; `expected_words.txt` adds what this trade would choose in
English, German and Spanish; the caller adds the names and addresses of the practice.

Errors:

    WeakPasswordError    the practitioner must choose another; the message names a phrase
"""

import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 200
MIN_STRENGTH_SCORE = 3
MIN_OWN_CHARACTERS = 8
"""Letters and digits that a password must have besides expected and personal words."""
MIN_WORD_LETTERS = 3
_SCORED_CHARACTERS = 72
_UMLAUT_SPELLINGS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
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


def check_password_strength(password: str, personal_texts: Iterable[str]) -> None:
    """Raise WeakPasswordError for a short, long or easily guessed password.

    The personal texts are names and addresses; neither they nor their words make a password.
    """
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise WeakPasswordError("password_short")
    if len(password) > MAX_PASSWORD_CHARACTERS:
        raise WeakPasswordError("password_long")
    spellings = (
        spelling
        for text in personal_texts
        for spelling in (text, text.casefold().translate(_UMLAUT_SPELLINGS))
    )
    words = {word for text in spellings for word in _split_words(text)} | _expected_words()
    if _is_made_of_words(password, words):
        raise WeakPasswordError("password_weak")
    estimate = zxcvbn(password[:_SCORED_CHARACTERS], user_inputs=sorted(words))
    if estimate["score"] < MIN_STRENGTH_SCORE:
        raise WeakPasswordError("password_weak")


def _is_made_of_words(password: str, words: Iterable[str]) -> bool:
    """Return whether little is left of the password without these words."""
    text = "".join(_split_words(password, min_letters=1))
    longest_first = sorted(words, key=len, reverse=True)
    rest = re.sub("|".join(map(re.escape, longest_first)), "", text)
    return len(rest) < min(len(text), MIN_OWN_CHARACTERS)


def _split_words(text: str, min_letters: int = MIN_WORD_LETTERS) -> list[str]:
    """Return the words in lower case and without accents, as they could be typed."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain_text = "".join(char for char in decomposed if not unicodedata.combining(char))
    return [word for word in re.split(r"[\W_]+", plain_text) if len(word) >= min_letters]


@cache
def _expected_words() -> frozenset[str]:
    path = Path(__file__).with_name("expected_words.txt")
    return frozenset(path.read_text(encoding="utf-8").split())


@cache
def _dummy_hash() -> str:
    return _HASHER.hash("no password")


def _normalise(password: str) -> bytes:
    text = unicodedata.normalize("NFKC", password[: MAX_PASSWORD_CHARACTERS + 1])
    return text.encode("utf-8", "replace")
