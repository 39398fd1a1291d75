"""The key ring: keys of 256 bits that are never in the database, and wrap the keys that are.

As text: one `id:base64url` a line or between commas. The first wraps, all unwrap; so a new key is
put first, what the others wrapped is wrapped anew, and only then an old one is taken out.
"""

import base64
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

KEY_BYTES = 32
NONCE_BYTES = 12
_ENTRY = re.compile(r"([A-Za-z0-9-]{1,40}):([A-Za-z0-9_-]{43})=?")


class KeyRingError(Exception):
    """The key ring cannot be used, or lacks a key; whoever runs the service must act."""


class KeyRing:
    """Wraps and unwraps; reads its source anew when asked for a key that it does not have."""

    def __init__(self, source: Callable[[], str]) -> None:
        self._source = source
        self._keys = parse(source())

    @property
    def current(self) -> str:
        """The id of the key that wraps."""
        return next(iter(self._keys))

    def reread(self) -> None:
        """Take the keys as they stand in the source now."""
        self._keys = parse(self._source())

    def derived(self, purpose: bytes) -> tuple[bytes, ...]:
        """A key of 32 bytes for each of the ring, for this purpose alone; the first is current."""
        info = b"nociscreen ring " + purpose
        return tuple(
            HKDFExpand(SHA256(), KEY_BYTES, info).derive(key) for key in self._keys.values()
        )

    def wrap(self, secret: bytes, about: str) -> tuple[str, bytes]:
        """The id of the current key, and the secret wrapped by it, bound to what it is about."""
        self.reread()  # a key that was put first meanwhile wraps from now on
        nonce = os.urandom(NONCE_BYTES)
        key_id, key = next(iter(self._keys.items()))
        return key_id, nonce + AESGCM(key).encrypt(nonce, secret, about.encode())

    def unwrap(self, key_id: str, wrapped: bytes, about: str) -> bytes:
        """The secret. Raises KeyRingError where the key is missing or the bytes were changed."""
        if key_id not in self._keys:
            self.reread()
        key = self._keys.get(key_id)
        if key is None:
            raise KeyRingError("the key ring lacks a key that this database was kept with")
        try:
            nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
            return AESGCM(key).decrypt(nonce, sealed, about.encode())
        except (InvalidTag, ValueError):
            raise KeyRingError("a key of the ring is not the one that this was kept with") from None


def parse(text: str) -> dict[str, bytes]:
    """The keys in the text by id. Raises KeyRingError without repeating any of it."""
    keys: dict[str, bytes] = {}
    for entry in re.split(r"[\s,]+", text.strip()):
        found = _ENTRY.fullmatch(entry)
        if found is None or found[1] in keys:
            raise KeyRingError(
                "a key ring holds lines `id:key`, each id once, each key 32 bytes in base64url"
            )
        keys[found[1]] = base64.urlsafe_b64decode(found[2] + "=")
    return keys


def new_entry() -> str:
    """A new key as it stands in a ring."""
    key = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=")
    return f"k{secrets.token_hex(4)}:{key}"


def make_file(path: Path) -> None:
    """A new ring with one key, readable by its owner only. Raises FileExistsError."""
    write_once(path, new_entry() + "\n")


def put_first(path: Path) -> str:
    """Put a new key first in the file, whole or not at all; its id."""
    entry = new_entry()
    text = text_of(path)
    parse(text)
    write_over(path, f"{entry}\n{text}")
    return entry.partition(":")[0]


def text_of(path: Path) -> str:
    """What a file of keys says. Raises KeyRingError where it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise KeyRingError(f"{path} cannot be read: {error.strerror}") from None


def write_once(path: Path, text: str) -> None:
    """A new file of the owner's alone, whole or not at all. Raises FileExistsError."""
    fresh = _written_beside(path, text)
    try:
        os.link(fresh, path)
    finally:
        fresh.unlink()


def write_over(path: Path, text: str) -> None:
    """The file with this text, its owner's alone; the one before it stays until it is whole."""
    _written_beside(path, text).replace(path)


def _written_beside(path: Path, text: str) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    made = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(made, "w", encoding="ascii") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    return fresh
