"""A stolen copy: of the database file, of a backup, of a dump, tells nothing without the keys."""

import pytest
from sqlalchemy import text
from support.builders import assessed, clinic, do, fill_patient_record
from support.servers.postgres import dump

from api.store.database.engine import connect_sqlite
from api.store.keys.file_key import load_file_key
from api.store.operations import key_rotation
from api.store.operations.backup import create_backup
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector

CANARY = "CANARYbird"
REFERENCE = f"{CANARY}-0042"


@pytest.fixture
def store(own_store):
    return own_store


@pytest.fixture
def filled_store(store):
    """A store that holds the canary wherever something of a patient can be."""
    owner = clinic(store)
    fill_patient_record(store, owner, REFERENCE, CANARY)
    do(store, owner, legal_holds.place_hold, PatientSelector(REFERENCE, f"urn:{CANARY}"), CANARY)
    return owner


def secrets_in(content, *more):
    """What of the canary stands there, in any coding that a dump may have."""
    words = (CANARY.encode(), CANARY.encode("utf-16-le"), CANARY.encode().hex().encode(), *more)
    return [word for word in words if word.lower() in content.lower()]


def test_the_canary_is_found_where_it_is_not_encrypted():
    assert secrets_in(f"x {CANARY} y".encode())
    assert secrets_in(f"\\x00{CANARY.encode().hex()}00".encode())


def test_no_file_of_the_database_holds_a_word(store, store_settings, filled_store, tmp_path):
    if not store.database.is_embedded:
        pytest.skip("the file belongs to PostgreSQL")
    create_backup(store_settings.database_file, store.key_ring, tmp_path / "backup.db")
    files = sorted(path.name for path in tmp_path.iterdir())
    assert {"nociscreen.db", "nociscreen.db-wal", "nociscreen.db-shm", "backup.db"} <= set(files)
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        clear_words = (b"SQLite format", b"complete", b"organisation")
        is_ledger = path.suffix == ".withdrawals"  # ids in clear, nothing of a patient
        assert secrets_in(content, *(() if is_ledger else clear_words)) == [], path.name


def dumped(store, store_settings):
    """Every row of every table as text, without the encryption of the file."""
    if store.database.is_embedded:
        connection = connect_sqlite(
            store_settings.database_file,
            load_file_key(store_settings.database_file, store.key_ring),
        )
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        rows = [row for (item,) in tables for row in connection.execute(f"SELECT * FROM {item}")]
        connection.close()
        return b"\n".join(
            value if isinstance(value, bytes) else str(value).encode()
            for row in rows
            for value in row
        )
    return dump(store_settings.database_url.get_secret_value())


def test_a_dump_of_every_row_holds_no_word_of_a_patient(store, store_settings, filled_store):
    content = dumped(store, store_settings)
    assert filled_store.organisation.encode() in content
    assert secrets_in(content) == []
    words = (b"red_flag", b"%PDF", b"urn:", b"insufficient", b'answers":')
    rows = b"\n".join(
        line
        for line in content.splitlines()
        if not line.startswith((b"CREATE", b"COMMENT", b"--", b"    ", b"ALTER", b"COPY"))
    )
    assert [word for word in words if word in rows] == []


def test_no_row_reveals_status_tier_or_band(store, store_settings, filled_store):
    with store.read_all_organisations() as session:
        rows = session.execute(text("SELECT * FROM screening")).all()
    assert len(rows) == 2
    cells = [
        value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
    ]
    assert [cell for cell in cells if CANARY.encode() in cell] == []
    for example in ("red_flag", "widespread_pain"):
        _, assessment = assessed(example)
        words = {assessment.status, assessment.safety.tier, assessment.find_band()} - {None}
        assert [word for word in words if word.encode() in cells] == []


def test_rotation_and_erasure_leave_no_word_either(store, store_settings, filled_store):
    key_rotation.rotate_data_key(store, filled_store.actor)
    assert secrets_in(dumped(store, store_settings)) == []
    for hold in do(store, filled_store, legal_holds.list_holds):
        do(store, filled_store, legal_holds.release_hold, hold.id)
    do(store, filled_store, data_subject_rights.erase_patient, PatientSelector(REFERENCE, None))
    content = dumped(store, store_settings)
    assert secrets_in(content) == []
    with store.read_all_organisations() as session:
        for table in ("screening", "report", "acknowledgement", "answered", "entered_in_error"):
            assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
        assert session.execute(text("SELECT count(*) FROM legal_hold")).scalar_one() == 0
