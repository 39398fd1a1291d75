"""Backup and restore of the embedded database, while it is in use.

A backup is a database file with its wrapped key beside it; without the key ring it is unreadable.
"""

from pathlib import Path
from typing import Any

import sqlcipher3  # type: ignore[import-untyped]

from api.store.database.engine import DatabaseError, connected
from api.store.key_ring import KeyRing
from api.store.keys.file_key import beside, file_key, keep


def backup(database: Path, ring: KeyRing, to: Path) -> None:
    """Copy a snapshot of the database. Raises DatabaseError if the target exists."""
    if to.exists() or beside(to).exists():
        raise DatabaseError(f"{to} exists already")
    key = file_key(database, ring)
    unfinished = to.with_name(f"{to.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    source, target = connected(database, key), connected(unfinished, key)
    try:
        source.backup(target, pages=1000)
        target.execute("PRAGMA journal_mode=DELETE")
        _check_integrity(target)
    finally:
        source.close()
        target.close()
    keep(to, ring, key)
    unfinished.replace(to)


def restore(from_: Path, ring: KeyRing, database: Path) -> None:
    """Restore a backup to a place where there is no database.

    Raises DatabaseError if there is one, or the backup is damaged.
    """
    for path in (database, beside(database), *_log_files(database)):
        if path.exists():
            raise DatabaseError(f"{path} is there already: move it away first")
    if not from_.is_file():
        raise DatabaseError(f"{from_} is not there")
    key = file_key(from_, ring)
    backup_database = connected(from_, key)
    unfinished = database.with_name(f"{database.name}.unfinished")
    unfinished.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    target = connected(unfinished, key)
    try:
        _check_integrity(backup_database)
        backup_database.backup(target, pages=1000)
        target.execute("PRAGMA journal_mode=DELETE")
    finally:
        backup_database.close()
        target.close()
    keep(database, ring, key)
    unfinished.replace(database)


def _log_files(database: Path) -> list[Path]:
    """Return the files that SQLite would replay into a database of this name."""
    return [
        database.with_name(f"{database.name}{suffix}") for suffix in ("-wal", "-shm", "-journal")
    ]


def _check_integrity(connection: Any) -> None:
    try:
        integrity = connection.execute("PRAGMA integrity_check").fetchall()
        violations = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlcipher3.Error:
        raise DatabaseError("the backup cannot be read") from None
    if integrity != [("ok",)] or violations:
        raise DatabaseError("the backup does not hold together")
