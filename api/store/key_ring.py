"""The key ring: 256-bit keys, stored outside the database, that wrap the keys inside it.

Its text has one `id:base64url` entry per line or between commas. The first key wraps, all unwrap.
To rotate, put a new key first, rewrap all keys in the database, then remove the old key.
"""

import base64
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from api.security.aead import KEY_BYTES, InvalidCiphertextError, RandomNonceCipher

_ENTRY = re.compile(r"([A-Za-z0-9-]{1,40}):([A-Za-z0-9_-]{43})=?")


class KeyRingError(Exception):
    """The key ring is unusable or lacks a key; the operator must act."""


class KeyRing:
    """Wraps and unwraps keys; reloads its source when an unknown key id is requested."""

    def __init__(self, source: Callable[[], str]) -> None:
        self._source = source
        self._keys = parse_key_ring(source())

    @property
    def current_key_id(self) -> str:
        """The id of the key that wraps now."""
        return next(iter(self._keys))

    def reload(self) -> None:
        """Reload the keys from the source."""
        self._keys = parse_key_ring(self._source())

    def derive_keys(self, purpose: bytes) -> tuple[bytes, ...]:
        """Derive one 32-byte key per ring key for this purpose alone; the first is current."""
        info = b"nociscreen ring " + purpose
        return tuple(
            HKDFExpand(SHA256(), KEY_BYTES, info).derive(key) for key in self._keys.values()
        )

    def wrap(self, secret: bytes, associated_data: str) -> tuple[str, bytes]:
        """Return the current key's id and the wrapped secret, bound to the associated data."""
        self.reload()  # another process may have put a new key first
        key_id, key = next(iter(self._keys.items()))
        return key_id, RandomNonceCipher(key).encrypt(secret, associated_data.encode())

    def unwrap(self, key_id: str, wrapped: bytes, associated_data: str) -> bytes:
        """Return the secret. Raises KeyRingError if the key is missing or the bytes changed."""
        if key_id not in self._keys:
            self.reload()
        key = self._keys.get(key_id)
        if key is None:
            raise KeyRingError("the key ring lacks a key that this database is encrypted with")
        try:
            return RandomNonceCipher(key).decrypt(wrapped, associated_data.encode())
        except InvalidCiphertextError:
            raise KeyRingError(
                "a key of the ring does not match the one used for encryption"
            ) from None


def parse_key_ring(text: str) -> dict[str, bytes]:
    """Return the keys of the text by id. Raises KeyRingError, which never quotes the text."""
    keys: dict[str, bytes] = {}
    for entry in re.split(r"[\s,]+", text.strip()):
        match = _ENTRY.fullmatch(entry)
        if match is None or match[1] in keys:
            raise KeyRingError(
                "a key ring holds lines `id:key`, each id once, each key 32 bytes in base64url"
            )
        keys[match[1]] = base64.urlsafe_b64decode(match[2] + "=")
    return keys


def generate_entry() -> str:
    """Return a new random key as an entry of a key ring."""
    key = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=")
    return f"k{secrets.token_hex(4)}:{key}"


def create_key_ring_file(path: Path) -> None:
    """Create a key ring with one key, readable by its owner only. Raises FileExistsError."""
    create_private_file(path, generate_entry() + "\n")


def prepend_new_key(path: Path) -> str:
    """Put a new key first in the file, atomically, and return its id."""
    entry = generate_entry()
    text = read_key_file(path)
    parse_key_ring(text)
    replace_private_file(path, f"{entry}\n{text}")
    return entry.partition(":")[0]


def read_key_file(path: Path) -> str:
    """Return the text of a key file. Raises KeyRingError if it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise KeyRingError(f"{path} cannot be read: {error.strerror}") from None


def create_private_file(path: Path, text: str) -> None:
    """Create a file that only its owner can read, atomically. Raises FileExistsError."""
    temporary = _write_temporary(path, text)
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink()


def replace_private_file(path: Path, text: str) -> None:
    """Replace a file atomically by one that only its owner can read."""
    _write_temporary(path, text).replace(path)


def _write_temporary(path: Path, text: str) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return temporary
