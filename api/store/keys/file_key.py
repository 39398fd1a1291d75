"""The key of the SQLite file: random, stored beside the file, wrapped by the key ring.

Rotating the key ring therefore rewraps this key only, and not the whole file.
"""

import os
from contextlib import suppress
from pathlib import Path

from api.security.aead import KEY_BYTES
from api.store import key_ring

_ASSOCIATED_DATA = "database file"


def locate_key_file(database: Path) -> Path:
    """Return the path of a database file's wrapped key."""
    return database.with_name(f"{database.name}.key")


def load_file_key(database: Path, ring: key_ring.KeyRing) -> bytes:
    """Return the key of this file, a new one for a new file. Raises key_ring.KeyRingError."""
    path = locate_key_file(database)
    if path.exists():
        return _read_key(path, ring)
    if database.exists():
        raise key_ring.KeyRingError(
            f"{database.name} cannot be opened: {path.name} is missing beside it"
        )
    with suppress(FileExistsError):  # another process was faster: use its key
        key_ring.create_private_file(path, _wrap_key(ring, os.urandom(KEY_BYTES)))
    return _read_key(path, ring)


def write_file_key(database: Path, ring: key_ring.KeyRing, key: bytes) -> None:
    """Write the key beside the file atomically, wrapped by the current key of the ring."""
    key_ring.replace_private_file(locate_key_file(database), _wrap_key(ring, key))


def _wrap_key(ring: key_ring.KeyRing, key: bytes) -> str:
    key_id, wrapped = ring.wrap(key, _ASSOCIATED_DATA)
    return f"{key_id}:{wrapped.hex()}\n"


def _read_key(path: Path, ring: key_ring.KeyRing) -> bytes:
    key_id, _, text = key_ring.read_key_file(path).strip().partition(":")
    try:
        wrapped = bytes.fromhex(text)
    except ValueError:
        raise key_ring.KeyRingError("the key beside the database file is not readable") from None
    return ring.unwrap(key_id, wrapped, _ASSOCIATED_DATA)
