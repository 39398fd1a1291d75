"""Sealing: a field of one organisation to bytes that mean nothing elsewhere, and back.

AES-256-GCM; the associated data are organisation, table, column and row, so that sealed bytes do
not open anywhere else. What must be searched for is a keyed hash (HMAC-SHA-256).
"""

import hashlib
import hmac
import os
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from api.store.key_ring import KEY_BYTES, NONCE_BYTES

_FORMAT = b"\x01"


class SealError(Exception):
    """Sealed bytes do not open: they were changed or moved, or their key is gone."""


class Place(NamedTuple):
    """Where a sealed field lives."""

    table: str
    column: str
    row: str


class DataKey:
    """One data key of an organisation: seals fields and hashes words."""

    def __init__(self, key_id: str, organisation: str, secret: bytes) -> None:
        self.id = key_id
        self._organisation = organisation
        self._cipher = AESGCM(_derived(secret, b"fields"))
        self._index = _derived(secret, b"index")

    def seal(self, place: Place, plain: bytes) -> bytes:
        """The field, sealed."""
        nonce = os.urandom(NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plain, _FORMAT + self._bound_to(place))

    def open(self, place: Place, sealed: bytes) -> bytes:
        """The field. Raises SealError."""
        start = len(_FORMAT)
        nonce, rest = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, rest, sealed[:start] + self._bound_to(place))
        except (InvalidTag, ValueError):
            raise SealError(f"{place.table}.{place.column} does not open") from None

    def keyed(self, what: str, word: str | None) -> bytes:
        """The keyed hash of a word; None is a word of its own."""
        given = "\x00" if word is None else unicodedata.normalize("NFC", word)
        text = f"{self._organisation}\x1f{what}\x1f{given}"
        return hmac.digest(self._index, text.encode(), "sha256")

    def _bound_to(self, place: Place) -> bytes:
        return "\x1f".join((self._organisation, *place)).encode()


class DataKeys:
    """The data keys of an organisation: one seals, all open."""

    def __init__(self, current: DataKey, others: Iterable[DataKey] = ()) -> None:
        self.current = current
        self._by_id = {each.id: each for each in (*others, current)}

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._by_id

    def older(self) -> list[str]:
        """The ids of the keys that no longer seal."""
        return [each for each in self._by_id if each != self.current.id]

    def open(self, key_id: str, place: Place, sealed: bytes) -> bytes:
        """The field, sealed by that key. Raises SealError."""
        key = self._by_id.get(key_id)
        if key is None:
            raise SealError(f"the key of {place.table}.{place.column} is gone")
        return key.open(place, sealed)

    def keyed(self, what: str, word: str | None) -> list[bytes]:
        """The hashes to look for: one for each key that may have made it."""
        return [each.keyed(what, word) for each in self._by_id.values()]


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDFExpand(SHA256(), KEY_BYTES, b"nociscreen " + purpose).derive(secret)


def digest(*parts: bytes) -> str:
    """The SHA-256 of the parts, each with its length, as hexadecimal digits."""
    held = hashlib.sha256()
    for part in parts:
        held.update(len(part).to_bytes(8, "big") + part)
    return held.hexdigest()
