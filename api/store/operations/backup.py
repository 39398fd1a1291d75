"""Backup and restore of the embedded database, while it is in use.

A backup is a file of its own with its wrapped key beside it; without the key ring it is noise.
"""

from pathlib import Path
from typing import Any

import sqlcipher3  # type: ignore[import-untyped]

from api.store.database.engine import DatabaseError, connected
from api.store.key_ring import KeyRing
from api.store.keys.file_key import beside, file_key, keep


def backup(database: Path, ring: KeyRing, to: Path) -> None:
    """Copy the database as it is at one moment. Raises DatabaseError where the target exists."""
    if to.exists() or beside(to).exists():
        raise DatabaseError(f"{to} exists already")
    key = file_key(database, ring)
    fresh = to.with_name(f"{to.name}.unfinished")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    source, target = connected(database, key), connected(fresh, key)
    try:
        source.backup(target, pages=1000)
        target.execute("PRAGMA journal_mode=DELETE")
        _check(target)
    finally:
        source.close()
        target.close()
    keep(to, ring, key)
    fresh.replace(to)


def restore(from_: Path, ring: KeyRing, database: Path) -> None:
    """Lay a backup in the place of a database that is not there.

    Raises DatabaseError where one is there, or the backup does not hold together.
    """
    for path in (database, beside(database), *_logs(database)):
        if path.exists():
            raise DatabaseError(f"{path} is there already: move it away first")
    if not from_.is_file():
        raise DatabaseError(f"{from_} is not there")
    key = file_key(from_, ring)
    backup_database = connected(from_, key)
    fresh = database.with_name(f"{database.name}.unfinished")
    fresh.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    target = connected(fresh, key)
    try:
        _check(backup_database)
        backup_database.backup(target, pages=1000)
        target.execute("PRAGMA journal_mode=DELETE")
    finally:
        backup_database.close()
        target.close()
    keep(database, ring, key)
    fresh.replace(database)


def _logs(database: Path) -> list[Path]:
    """What SQLite lays beside a file, and would read into another of its name."""
    return [database.with_name(f"{database.name}{end}") for end in ("-wal", "-shm", "-journal")]


def _check(connection: Any) -> None:
    try:
        found = connection.execute("PRAGMA integrity_check").fetchall()
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlcipher3.Error:
        raise DatabaseError("the backup cannot be read") from None
    if found != [("ok",)] or broken:
        raise DatabaseError("the backup does not hold together")
