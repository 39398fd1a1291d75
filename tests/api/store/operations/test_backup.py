"""Backup and restore: of one moment, while writing, useless without the ring."""

from threading import Event

import pytest
from support.builders import (
    add,
    build_store_settings,
    clinic,
    copy_empty_store,
    do,
    run_concurrently,
)

from api.store.audit import chain
from api.store.database.engine import DatabaseError
from api.store.errors import NotFoundError
from api.store.key_ring import KeyRing, KeyRingError, generate_entry
from api.store.keys import file_key
from api.store.operations.backup import create_backup, restore_backup
from api.store.operations.startup import open_store
from api.store.screenings import screenings


@pytest.fixture
def settings(tmp_path):
    return copy_empty_store(tmp_path)


@pytest.fixture
def store(settings):
    opened_store = open_store(settings)
    yield opened_store
    opened_store.close()


def moved_away(settings):
    """The database gone, the ring still there."""
    for path in settings.database_file.parent.glob("nociscreen.db*"):
        path.unlink()


def test_a_restored_backup_holds_what_was_there_and_verifies(store, settings, tmp_path):
    owner = clinic(store)
    screening = add(store, owner)
    create_backup(settings.database_file, store.key_ring, tmp_path / "b.db")
    late = add(store, owner)
    store.close()
    moved_away(settings)
    restore_backup(tmp_path / "b.db", store.key_ring, settings.database_file)
    again = open_store(settings)
    assert do(again, owner, screenings.find_screening, screening.id) == screening
    with pytest.raises(NotFoundError):
        do(again, owner, screenings.find_screening, late.id)
    with again.read_all_organisations() as session:
        assert (
            chain.verify_chain(
                session, again.organisation_keys.load_keys(session, owner.organisation).audit
            )
            == ()
        )
    again.close()
    for item in (
        tmp_path / "b.db",
        file_key.locate_key_file(tmp_path / "b.db"),
        settings.database_file,
    ):
        assert item.stat().st_mode & 0o777 == 0o600


def test_a_backup_while_writing_is_whole(store, settings, tmp_path):
    owner, stopped = clinic(store), Event()

    def act(number):
        if number:
            screening = []
            while not stopped.is_set():
                screening.append(add(store, owner, f"MRN-{number}"))
            return screening
        try:
            for item in range(3):
                create_backup(settings.database_file, store.key_ring, tmp_path / f"b{item}.db")
        finally:
            stopped.set()
        return None

    results = run_concurrently(4, act)
    assert results[0] is None
    assert all(results[1:])
    for number in range(3):
        target = build_store_settings(
            tmp_path / f"r{number}", key_ring=settings.key_ring_file.read_text()
        )
        restore_backup(tmp_path / f"b{number}.db", store.key_ring, target.database_file)
        again = open_store(target, may_be_unsettled=True)
        with again.read_all_organisations() as session:
            assert (
                chain.verify_chain(
                    session, again.organisation_keys.load_keys(session, owner.organisation).audit
                )
                == ()
            )
        again.close()


def test_a_backup_is_never_written_over_anything(store, settings, tmp_path):
    target = tmp_path / "b.db"
    target.write_text("mine")
    with pytest.raises(DatabaseError, match="exists"):
        create_backup(settings.database_file, store.key_ring, target)
    assert target.read_text() == "mine"
    target.unlink()
    file_key.locate_key_file(target).write_text("mine")
    with pytest.raises(DatabaseError, match="exists"):
        create_backup(settings.database_file, store.key_ring, target)


@pytest.mark.parametrize("left", ["", "-wal", "-shm", "-journal", ".key"])
def test_a_restore_is_refused_where_anything_of_a_database_is_left(store, settings, tmp_path, left):
    create_backup(settings.database_file, store.key_ring, tmp_path / "b.db")
    target = tmp_path / "new" / "x.db"
    target.parent.mkdir()
    target.with_name(f"x.db{left}").write_text("mine")
    with pytest.raises(DatabaseError, match="move it away"):
        restore_backup(tmp_path / "b.db", store.key_ring, target)
    assert [path.read_text() for path in target.parent.iterdir()] == ["mine"]


def test_another_ring_opens_no_backup(store, settings, tmp_path):
    create_backup(settings.database_file, store.key_ring, tmp_path / "b.db")
    entry = generate_entry()
    ring = KeyRing(lambda: entry)
    with pytest.raises(KeyRingError):
        restore_backup(tmp_path / "b.db", ring, tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_a_broken_backup_is_refused(store, settings, tmp_path):
    create_backup(settings.database_file, store.key_ring, tmp_path / "b.db")
    content = bytearray((tmp_path / "b.db").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "b.db").write_bytes(content)
    with pytest.raises(DatabaseError):
        restore_backup(tmp_path / "b.db", store.key_ring, tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()
    with pytest.raises(DatabaseError, match="does not exist"):
        restore_backup(tmp_path / "none.db", store.key_ring, tmp_path / "new.db")
