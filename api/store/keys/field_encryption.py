"""Field encryption: encrypts and decrypts single fields with the keys of an organisation.

AES-256-GCM with organisation, table, column and row as associated data, so that ciphertext copied
to another place cannot be decrypted. Searchable values are stored as keyed hashes (HMAC-SHA-256).
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
    """A field cannot be decrypted: it was changed or moved, or its key is gone."""


class Place(NamedTuple):
    """The place of an encrypted field; bound into its ciphertext."""

    table: str
    column: str
    row: str


class DataKey:
    """One data-encryption key of an organisation: encrypts fields and hashes search values."""

    def __init__(self, key_id: str, organisation: str, secret: bytes) -> None:
        self.id = key_id
        self._organisation = organisation
        self._cipher = AESGCM(_derive_key(secret, b"fields"))
        self._hash_key = _derive_key(secret, b"index")

    def seal(self, place: Place, plain: bytes) -> bytes:
        """Encrypt a field."""
        nonce = os.urandom(NONCE_BYTES)
        return (
            _FORMAT
            + nonce
            + self._cipher.encrypt(nonce, plain, _FORMAT + self._associated_data(place))
        )

    def open(self, place: Place, sealed: bytes) -> bytes:
        """Decrypt a field. Raises SealError."""
        start = len(_FORMAT)
        nonce, ciphertext = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(
                nonce, ciphertext, sealed[:start] + self._associated_data(place)
            )
        except (InvalidTag, ValueError):
            raise SealError(f"{place.table}.{place.column} does not open") from None

    def keyed(self, what: str, word: str | None) -> bytes:
        """Return the keyed hash of a value for one purpose; None hashes unlike any text."""
        normalized = "\x00" if word is None else unicodedata.normalize("NFC", word)
        message = f"{self._organisation}\x1f{what}\x1f{normalized}"
        return hmac.digest(self._hash_key, message.encode(), "sha256")

    def _associated_data(self, place: Place) -> bytes:
        return "\x1f".join((self._organisation, *place)).encode()


class DataKeys:
    """The data-encryption keys of an organisation: the current one encrypts, all decrypt."""

    def __init__(self, current: DataKey, others: Iterable[DataKey] = ()) -> None:
        self.current = current
        self._by_id = {key.id: key for key in (*others, current)}

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._by_id

    def older(self) -> list[str]:
        """Return the ids of the keys that no longer encrypt."""
        return [key_id for key_id in self._by_id if key_id != self.current.id]

    def open(self, key_id: str, place: Place, sealed: bytes) -> bytes:
        """Decrypt a field with the key of that id. Raises SealError."""
        key = self._by_id.get(key_id)
        if key is None:
            raise SealError(f"the key of {place.table}.{place.column} is gone")
        return key.open(place, sealed)

    def keyed(self, what: str, word: str | None) -> list[bytes]:
        """Return the hash of the value by each key: a row may match any of them."""
        return [key.keyed(what, word) for key in self._by_id.values()]


def _derive_key(secret: bytes, purpose: bytes) -> bytes:
    return HKDFExpand(SHA256(), KEY_BYTES, b"nociscreen " + purpose).derive(secret)


def digest(*parts: bytes) -> str:
    """Return the SHA-256 of the parts, each prefixed by its length, in hexadecimal."""
    digester = hashlib.sha256()
    for part in parts:
        digester.update(len(part).to_bytes(8, "big") + part)
    return digester.hexdigest()
