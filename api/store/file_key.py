"""The key of the database file: random, kept beside the file, wrapped by the key ring.

So the ring can change its keys without the file being written anew.
"""

import os
from pathlib import Path

from api.store.key_ring import KEY_BYTES, KeyRing, KeyRingError

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
        key_id, _, wrapped = path.read_text(encoding="ascii").strip().partition(":")
        return ring.unwrap(key_id, _bytes(wrapped), _ABOUT)
    if database.exists():
        raise KeyRingError(f"{database.name} cannot be opened: {path.name} is missing beside it")
    key = os.urandom(KEY_BYTES)
    keep(database, ring, key)
    return key


def keep(database: Path, ring: KeyRing, key: bytes) -> None:
    """Lay the key beside the file, wrapped by the current key of the ring, whole or not at all."""
    path = beside(database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_id, wrapped = ring.wrap(key, _ABOUT)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    made = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(made, "w", encoding="ascii") as out:
        out.write(f"{key_id}:{wrapped.hex()}\n")
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise KeyRingError("the key beside the database file is not readable") from None
