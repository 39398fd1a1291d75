"""A stolen copy: of the database file, of a backup, of a dump, tells nothing without the keys."""

import subprocess

import pytest
from sqlalchemy import text
from support.builders import all_there_is, assessed, clinic, do
from support.postgres import HOMES

from api.store.database.engine import connect_sqlite
from api.store.keys.file_key import load_file_key
from api.store.operations import key_rotation
from api.store.operations.backup import create_backup
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings.screenings import find_band

CANARY = "CANARYbird"
REFERENCE = f"{CANARY}-0042"


@pytest.fixture
def filled(store):
    """A store that holds the canary wherever something of a patient can be."""
    made = clinic(store)
    all_there_is(store, made, REFERENCE, CANARY)
    do(store, made, legal_holds.place_hold, PatientSelector(REFERENCE, f"urn:{CANARY}"), CANARY)
    return made


def secrets_in(held, *more):
    """What of the canary stands there, in any coding that a dump may have."""
    words = (CANARY.encode(), CANARY.encode("utf-16-le"), CANARY.encode().hex().encode(), *more)
    return [word for word in words if word.lower() in held.lower()]


def test_the_canary_is_found_where_it_is_not_sealed():
    assert secrets_in(f"x {CANARY} y".encode())
    assert secrets_in(f"\\x00{CANARY.encode().hex()}00".encode())


def test_no_file_of_the_database_holds_a_word(store, kept, filled, tmp_path):
    if not store.database.is_embedded:
        pytest.skip("PostgreSQL keeps no file of ours")
    create_backup(kept.database_file, store.ring, tmp_path / "backup.db")
    files = sorted(each.name for each in tmp_path.iterdir())
    assert {"nociscreen.db", "nociscreen.db-wal", "nociscreen.db-shm", "backup.db"} <= set(files)
    for each in tmp_path.iterdir():
        held = each.read_bytes()
        assert secrets_in(held, b"SQLite format", b"complete", b"organisation") == [], each.name


def dumped(store, kept):
    """Every row of every table as text, without the encryption of the file."""
    if store.database.is_embedded:
        connection = connect_sqlite(
            kept.database_file, load_file_key(kept.database_file, store.ring)
        )
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        rows = [row for (each,) in tables for row in connection.execute(f"SELECT * FROM {each}")]
        connection.close()
        return b"\n".join(
            value if isinstance(value, bytes) else str(value).encode()
            for row in rows
            for value in row
        )
    url = kept.database_url.get_secret_value()
    return subprocess.run([HOMES[0] / "pg_dump", url], capture_output=True, check=True).stdout


def test_a_dump_of_every_row_holds_no_word_of_a_patient(store, kept, filled):
    held = dumped(store, kept)
    assert filled.organisation.encode() in held
    assert secrets_in(held) == []
    words = (b"red_flag", b"%PDF", b"urn:", b"insufficient", b'answers":')
    rows = b"\n".join(
        line
        for line in held.splitlines()
        if not line.startswith((b"CREATE", b"COMMENT", b"--", b"    ", b"ALTER", b"COPY"))
    )
    assert [each for each in words if each in rows] == []


def test_status_tier_and_band_are_not_told_by_any_row(store, kept, filled):
    with store.read_all_organisations() as session:
        rows = session.execute(text("SELECT * FROM screening")).all()
    assert len(rows) == 2
    for example in ("red_flag", "widespread_pain"):
        _, assessment = assessed(example)
        words = {assessment.status, assessment.safety.tier, find_band(assessment)} - {None}
        for row in rows:
            for value in row:
                held = value if isinstance(value, bytes) else str(value).encode()
                assert [word for word in words if held == word.encode()] == []
                assert isinstance(value, bytes) is False or CANARY.encode() not in held


def test_rotation_and_erasure_leave_no_word_either(store, kept, filled):
    key_rotation.rotate_data_key(store, filled.actor)
    assert secrets_in(dumped(store, kept)) == []
    for hold in do(store, filled, legal_holds.list_holds):
        do(store, filled, legal_holds.release_hold, hold.id)
    do(store, filled, data_subject_rights.erase_patient, PatientSelector(REFERENCE, None))
    held = dumped(store, kept)
    assert secrets_in(held) == []
    with store.read_all_organisations() as session:
        for table in ("screening", "report", "acknowledgement", "answered", "entered_in_error"):
            assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
        assert session.execute(text("SELECT count(*) FROM legal_hold")).scalar_one() == 0
