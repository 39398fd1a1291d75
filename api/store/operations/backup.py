"""Backup and restore of the embedded database, while it is in use.

A backup is a database file with its wrapped key beside it; without the key ring it is unreadable.
"""

from pathlib import Path
from typing import Any

import sqlcipher3  # type: ignore[import-untyped]

from api.store.database.engine import DatabaseError, connect_sqlite
from api.store.key_ring import KeyRing
from api.store.keys.file_key import load_file_key, locate_key_file, write_file_key


def create_backup(database: Path, ring: KeyRing, backup_path: Path) -> None:
    """Copy a snapshot of the database. Raises DatabaseError if the target exists."""
    if backup_path.exists() or locate_key_file(backup_path).exists():
        raise DatabaseError(f"{backup_path} already exists")
    key = load_file_key(database, ring)
    unfinished = backup_path.with_name(f"{backup_path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    source, target = connect_sqlite(database, key), connect_sqlite(unfinished, key)
    try:
        source.backup(target, pages=1000)
        target.execute("PRAGMA journal_mode=DELETE")
        _check_integrity(target)
    finally:
        source.close()
        target.close()
    write_file_key(backup_path, ring, key)
    unfinished.replace(backup_path)


def restore_backup(backup_path: Path, ring: KeyRing, database: Path) -> None:
    """Restore a backup to a place where there is no database.

    Raises DatabaseError if there is one, or the backup is damaged.
    """
    for path in (database, locate_key_file(database), *_log_files(database)):
        if path.exists():
            raise DatabaseError(f"{path} already exists: move it away first")
    if not backup_path.is_file():
        raise DatabaseError(f"{backup_path} does not exist")
    key = load_file_key(backup_path, ring)
    backup_database = connect_sqlite(backup_path, key)
    unfinished = database.with_name(f"{database.name}.unfinished")
    unfinished.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    target = connect_sqlite(unfinished, key)
    try:
        _check_integrity(backup_database)
        backup_database.backup(target, pages=1000)
        target.execute("PRAGMA journal_mode=DELETE")
    finally:
        backup_database.close()
        target.close()
    write_file_key(database, ring, key)
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
        raise DatabaseError("the backup is damaged")
