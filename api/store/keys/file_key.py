"""The key of the database file: random, kept beside the file, wrapped by the key ring.

So the ring can change its keys without the file being written anew.
"""

import os
from contextlib import suppress
from pathlib import Path

from api.store.key_ring import (
    KEY_BYTES,
    KeyRing,
    KeyRingError,
    text_of,
    write_once,
    write_over,
)

_ABOUT = "database file"


def beside(database: Path) -> Path:
    """Where the wrapped key of a database file lies."""
    return database.with_name(f"{database.name}.key")


def file_key(database: Path, ring: KeyRing) -> bytes:
    """The key of this file; made where neither the file nor its key is there yet.

    Raises KeyRingError where the file has lost its key, or the ring cannot unwrap it.
    """
    path = beside(database)
    if path.exists():
        return _kept(path, ring)
    if database.exists():
        raise KeyRingError(f"{database.name} cannot be opened: {path.name} is missing beside it")
    with suppress(FileExistsError):  # another process was faster: its key is the one
        write_once(path, _wrapped(ring, os.urandom(KEY_BYTES)))
    return _kept(path, ring)


def keep(database: Path, ring: KeyRing, key: bytes) -> None:
    """Lay the key beside the file, wrapped by the current key of the ring, whole or not at all."""
    write_over(beside(database), _wrapped(ring, key))


def _wrapped(ring: KeyRing, key: bytes) -> str:
    key_id, wrapped = ring.wrap(key, _ABOUT)
    return f"{key_id}:{wrapped.hex()}\n"


def _kept(path: Path, ring: KeyRing) -> bytes:
    key_id, _, text = text_of(path).strip().partition(":")
    try:
        wrapped = bytes.fromhex(text)
    except ValueError:
        raise KeyRingError("the key beside the database file is not readable") from None
    return ring.unwrap(key_id, wrapped, _ABOUT)
