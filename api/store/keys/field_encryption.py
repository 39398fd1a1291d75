"""Field encryption: encrypts and decrypts single fields with the keys of an organisation.

AES-256-GCM with organisation, table, column and row as associated data, so that ciphertext copied
to another place cannot be decrypted. Searchable values are stored as keyed hashes (HMAC-SHA-256).
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from api.security.aead import KEY_BYTES, InvalidCiphertextError, RandomNonceCipher

_FORMAT = b"\x01"


class DecryptionError(Exception):
    """A field cannot be decrypted: it was changed or moved, or its key is gone."""


class FieldLocation(NamedTuple):
    """The place of an encrypted field; bound into its ciphertext."""

    table: str
    column: str
    row: str


class DataKey:
    """One data-encryption key of an organisation: encrypts fields and hashes search values."""

    def __init__(self, key_id: str, organisation: str, secret: bytes) -> None:
        self.id = key_id
        self._organisation = organisation
        self._cipher = RandomNonceCipher(_derive_key(secret, b"fields"))
        self._hash_key = _derive_key(secret, b"index")

    def encrypt(self, location: FieldLocation, plaintext: bytes) -> bytes:
        """Encrypt a field."""
        associated_data = _FORMAT + self._build_associated_data(location)
        return _FORMAT + self._cipher.encrypt(plaintext, associated_data)

    def decrypt(self, location: FieldLocation, encrypted_field: bytes) -> bytes:
        """Decrypt a field. Raises DecryptionError."""
        form, encrypted = encrypted_field[: len(_FORMAT)], encrypted_field[len(_FORMAT) :]
        try:
            return self._cipher.decrypt(encrypted, form + self._build_associated_data(location))
        except InvalidCiphertextError:
            place = f"{location.table}.{location.column}"
            raise DecryptionError(f"{place} cannot be decrypted") from None

    def compute_keyed_hash(self, purpose: str, value: str | None) -> bytes:
        """Return the keyed hash of a value for one purpose; None hashes unlike any text."""
        normalized = "\x00" if value is None else unicodedata.normalize("NFC", value)
        message = f"{self._organisation}\x1f{purpose}\x1f{normalized}"
        return hmac.digest(self._hash_key, message.encode(), "sha256")

    def encrypt_columns(
        self, table: str, row_name: str, plaintexts: Mapping[str, bytes]
    ) -> dict[str, Any]:
        """Return these columns of a row, encrypted, and the id of this key."""
        return {"key_id": self.id} | {
            column: self.encrypt(FieldLocation(table, column, row_name), plaintext)
            for column, plaintext in plaintexts.items()
        }

    def hash_columns(self, values: Mapping[str, str | None]) -> dict[str, bytes]:
        """Return the keyed hash of each value, for the search column of that name."""
        return {name: self.compute_keyed_hash(name, value) for name, value in values.items()}

    def _build_associated_data(self, location: FieldLocation) -> bytes:
        return "\x1f".join((self._organisation, *location)).encode()


class DataKeys:
    """The data-encryption keys of an organisation: the current one encrypts, all decrypt."""

    def __init__(self, current: DataKey, older: Iterable[DataKey] = ()) -> None:
        self.current = current
        self._by_id = {key.id: key for key in (*older, current)}

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._by_id

    def list_older_key_ids(self) -> list[str]:
        """Return the ids of the keys that no longer encrypt."""
        return [key_id for key_id in self._by_id if key_id != self.current.id]

    def decrypt(self, key_id: str, location: FieldLocation, encrypted_field: bytes) -> bytes:
        """Decrypt a field with the key of that id. Raises DecryptionError."""
        key = self._by_id.get(key_id)
        if key is None:
            place = f"{location.table}.{location.column}"
            raise DecryptionError(f"the key of {place} no longer exists")
        return key.decrypt(location, encrypted_field)

    def compute_keyed_hashes(self, purpose: str, value: str | None) -> list[bytes]:
        """Return the hash of the value by each key: a row may match any of them."""
        return [key.compute_keyed_hash(purpose, value) for key in self._by_id.values()]


def _derive_key(secret: bytes, purpose: bytes) -> bytes:
    return HKDFExpand(SHA256(), KEY_BYTES, b"nociscreen " + purpose).derive(secret)


def hash_parts(*parts: bytes) -> str:
    """Return the SHA-256 of the parts, each prefixed by its length, in hexadecimal."""
    digester = hashlib.sha256()
    for part in parts:
        digester.update(len(part).to_bytes(8, "big") + part)
    return digester.hexdigest()
