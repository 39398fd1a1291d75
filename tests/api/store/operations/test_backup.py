"""Backup and restore: of one moment, while writing, useless without the ring."""

from threading import Event

import pytest
from support.builders import add, at_once, clinic, do, kept_in

from api.store.audit import chain
from api.store.database.engine import DatabaseError
from api.store.key_ring import KeyRing, KeyRingError, generate_entry
from api.store.keys import file_key
from api.store.operations.backup import create_backup, restore_backup
from api.store.operations.startup import open_store
from api.store.screenings import screenings


@pytest.fixture
def chosen(tmp_path):
    return kept_in(tmp_path)


@pytest.fixture
def store(chosen):
    opened = open_store(chosen)
    yield opened
    opened.close()


def moved_away(chosen):
    """The database gone, the ring still there."""
    for each in chosen.database_file.parent.glob("nociscreen.db*"):
        each.unlink()


def test_a_restored_backup_holds_what_was_there_and_verifies(store, chosen, tmp_path):
    made = clinic(store)
    kept = add(store, made)
    create_backup(chosen.database_file, store.ring, tmp_path / "b.db")
    late = add(store, made)
    store.close()
    moved_away(chosen)
    restore_backup(tmp_path / "b.db", store.ring, chosen.database_file)
    again = open_store(chosen)
    assert do(again, made, screenings.find_screening, kept.id) == kept
    with pytest.raises(Exception, match="not_found"):
        do(again, made, screenings.find_screening, late.id)
    with again.read_all_organisations() as session:
        assert (
            chain.verify_chain(
                session, again.organisation_keys.load_keys(session, made.organisation).audit
            )
            == ()
        )
    again.close()
    for each in (
        tmp_path / "b.db",
        file_key.locate_key_file(tmp_path / "b.db"),
        chosen.database_file,
    ):
        assert each.stat().st_mode & 0o777 == 0o600


def test_a_backup_while_writing_is_whole(store, chosen, tmp_path):
    made, done = clinic(store), Event()

    def act(number):
        if number:
            kept = []
            while not done.is_set():
                kept.append(add(store, made, f"MRN-{number}"))
            return kept
        try:
            for each in range(3):
                create_backup(chosen.database_file, store.ring, tmp_path / f"b{each}.db")
        finally:
            done.set()
        return None

    results = at_once(4, act)
    assert results[0] is None
    assert all(results[1:])
    for each in range(3):
        target = kept_in(tmp_path / f"r{each}", key_ring=chosen.key_ring_file.read_text())
        restore_backup(tmp_path / f"b{each}.db", store.ring, target.database_file)
        again = open_store(target)
        with again.read_all_organisations() as session:
            assert (
                chain.verify_chain(
                    session, again.organisation_keys.load_keys(session, made.organisation).audit
                )
                == ()
            )
        again.close()


def test_a_backup_is_never_written_over_anything(store, chosen, tmp_path):
    target = tmp_path / "b.db"
    target.write_text("mine")
    with pytest.raises(DatabaseError, match="exists"):
        create_backup(chosen.database_file, store.ring, target)
    assert target.read_text() == "mine"
    target.unlink()
    file_key.locate_key_file(target).write_text("mine")
    with pytest.raises(DatabaseError, match="exists"):
        create_backup(chosen.database_file, store.ring, target)


@pytest.mark.parametrize("left", ["", "-wal", "-shm", "-journal", ".key"])
def test_a_restore_is_refused_where_anything_of_a_database_is_left(store, chosen, tmp_path, left):
    create_backup(chosen.database_file, store.ring, tmp_path / "b.db")
    target = tmp_path / "new" / "x.db"
    target.parent.mkdir()
    target.with_name(f"x.db{left}").write_text("mine")
    with pytest.raises(DatabaseError, match="move it away"):
        restore_backup(tmp_path / "b.db", store.ring, target)
    assert [each.read_text() for each in target.parent.iterdir()] == ["mine"]


def test_another_ring_opens_no_backup(store, chosen, tmp_path):
    create_backup(chosen.database_file, store.ring, tmp_path / "b.db")
    entry = generate_entry()
    ring = KeyRing(lambda: entry)
    with pytest.raises(KeyRingError):
        restore_backup(tmp_path / "b.db", ring, tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_a_broken_backup_is_refused(store, chosen, tmp_path):
    create_backup(chosen.database_file, store.ring, tmp_path / "b.db")
    held = bytearray((tmp_path / "b.db").read_bytes())
    held[len(held) // 2] ^= 1
    (tmp_path / "b.db").write_bytes(held)
    with pytest.raises(DatabaseError):
        restore_backup(tmp_path / "b.db", store.ring, tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()
    with pytest.raises(DatabaseError, match="not there"):
        restore_backup(tmp_path / "none.db", store.ring, tmp_path / "new.db")
