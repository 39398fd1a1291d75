"""Backup and restore of the embedded database, while it is in use.

A backup is a database file with its wrapped key next to it; without the key ring it is unreadable.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
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
    with _copy_database(database, backup_path, ring) as (source, target):
        source.backup(target, pages=1000)
        _check_integrity(target)


def restore_backup(backup_path: Path, ring: KeyRing, database: Path) -> None:
    """Restore a backup. Raises DatabaseError if a database exists or the backup is damaged."""
    for path in (database, locate_key_file(database), *_log_files(database)):
        if path.exists():
            raise DatabaseError(f"{path} already exists: move it away first")
    if not backup_path.is_file():
        raise DatabaseError(f"{backup_path} does not exist")
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _copy_database(backup_path, database, ring) as (source, target):
        _check_integrity(source)
        source.backup(target, pages=1000)


@contextmanager
def _copy_database(source: Path, target: Path, ring: KeyRing) -> Iterator[tuple[Any, Any]]:
    """Connect to a database and to a new file, which takes its name when the copy is complete."""
    key = load_file_key(source, ring)
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with (
        closing(connect_sqlite(source, key)) as source_connection,
        closing(connect_sqlite(unfinished, key)) as connection,
    ):
        yield source_connection, connection
        connection.execute("PRAGMA journal_mode=DELETE")
    write_file_key(target, ring, key)
    unfinished.replace(target)


def _log_files(database: Path) -> list[Path]:
    """Return the files that SQLite would replay into a database of this name."""
    suffixes = ("-wal", "-shm", "-journal")
    return [database.with_name(database.name + suffix) for suffix in suffixes]


def _check_integrity(connection: Any) -> None:
    try:
        integrity = connection.execute("PRAGMA integrity_check").fetchall()
        violations = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlcipher3.Error:
        raise DatabaseError("the backup cannot be read") from None
    if integrity != [("ok",)] or violations:
        raise DatabaseError("the backup is damaged")
