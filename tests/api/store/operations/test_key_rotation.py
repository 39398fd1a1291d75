"""Rotation: of an organisation's data key, and of the ring, while both are in use."""

from contextlib import contextmanager
from threading import Event, Thread

import pytest
from sqlalchemy import select
from support.builders import add, clinic, do, fill_patient_record, intake, run_concurrently

from api.store import idempotency
from api.store.database.tables import OrganisationKeyRow, ScreeningRow
from api.store.errors import UnavailableError
from api.store.key_ring import KeyRingError, prepend_new_key
from api.store.keys import file_key
from api.store.operations import key_rotation
from api.store.operations.key_rewrapping import rewrap_keys
from api.store.operations.startup import open_store
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings, search
from schemas.patients.screening import ScreeningFilters


def read_everything(store, clinic, store_settings):
    return [
        do(store, clinic, screenings.find_screening, opened_store.id)
        for opened_store in store_settings
    ]


def by_patient(store, clinic, reference):
    page = do(store, clinic, search.list_first_page, ScreeningFilters(patient=reference), 100)
    return {line.id for line in page.lines}


def data_keys(store, clinic):
    with store.read_all_organisations() as session:
        return set(
            session.execute(
                select(OrganisationKeyRow.id).where(
                    OrganisationKeyRow.organisation_id == clinic.organisation,
                    OrganisationKeyRow.kind == "data",
                )
            ).scalars()
        )


def again(store, clinic, owner):
    """What the request that made it is answered now."""

    def act(work):
        keyed_request = idempotency.build_keyed_request(
            work, "POST /v1/screenings", f"key-{owner.id}", b"body"
        )
        return idempotency.run_once(work, keyed_request, lambda: pytest.fail("done twice"))

    return do(store, clinic, act)


def test_everything_opens_by_the_new_key_and_the_old_one_is_gone(store):
    owner = clinic(store)
    stored_screenings = fill_patient_record(store, owner)
    do(store, owner, legal_holds.place_hold, PatientSelector("MRN-0042", None), "why")
    before, old = read_everything(store, owner, stored_screenings), data_keys(store, owner)
    exported = do(
        store, owner, data_subject_rights.export_patient, PatientSelector("MRN-0042", None)
    )
    assert key_rotation.rotate_data_key(store, owner.actor) == 17
    assert data_keys(store, owner).isdisjoint(old)
    assert len(data_keys(store, owner)) == 1
    assert read_everything(store, owner, stored_screenings) == before
    assert (
        do(store, owner, data_subject_rights.export_patient, PatientSelector("MRN-0042", None))
        == exported
    )
    assert exported.holds
    assert again(store, owner, stored_screenings[0]).body == b"answer-w"
    assert by_patient(store, owner, "MRN-0042") == {screening.id for screening in stored_screenings}


def test_search_finds_all_before_between_the_steps_and_after(store, monkeypatch):
    monkeypatch.setattr(key_rotation, "ROWS_PER_STEP", 1)
    owner = clinic(store)
    own_ids = {add(store, owner, "MRN-1").id for _ in range(3)}
    fill_patient_record(store, owner)
    assert by_patient(store, owner, "MRN-1") == own_ids
    assert len(own_ids) == 3
    step, counts = key_rotation._rotate_some_rows, []

    def watched(*arguments):
        counts.append(by_patient(store, owner, "MRN-1"))
        return step(*arguments)

    monkeypatch.setattr(key_rotation, "_rotate_some_rows", watched)
    key_rotation.rotate_data_key(store, owner.actor)
    assert len(counts) > 8
    assert all(count == own_ids for count in counts)
    assert by_patient(store, owner, "MRN-1") == own_ids


def test_a_rotation_cut_off_half_way_is_finished(store, monkeypatch):
    monkeypatch.setattr(key_rotation, "ROWS_PER_STEP", 1)
    owner = clinic(store)
    stored_screenings = fill_patient_record(store, owner)
    before, old = read_everything(store, owner, stored_screenings), data_keys(store, owner)
    step, left = key_rotation._rotate_some_rows, iter([True, True, True])

    def cut_off(*arguments):
        next(left)
        return step(*arguments)

    with monkeypatch.context() as patched, pytest.raises(StopIteration):
        patched.setattr(key_rotation, "_rotate_some_rows", cut_off)
        key_rotation.rotate_data_key(store, owner.actor)
    assert old < data_keys(store, owner)
    assert read_everything(store, owner, stored_screenings) == before
    assert key_rotation.finish_rotation(store, owner.actor) == 13
    assert data_keys(store, owner).isdisjoint(old)
    assert read_everything(store, owner, stored_screenings) == before
    assert key_rotation.finish_rotation(store, owner.actor) == 0


@contextmanager
def meanwhile(act):
    """A thread that runs beside the block; what it raised is raised here."""
    rotation_errors = []

    def run():
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised again below
            rotation_errors.append(error)

    thread = Thread(target=run)
    thread.start()
    yield thread
    thread.join(30)
    assert not thread.is_alive()
    if rotation_errors:
        raise rotation_errors[0]


def test_a_screening_under_way_while_the_key_changes_is_not_lost(store):
    owner = clinic(store)
    add(store, owner)
    inside, stored_screenings = Event(), []

    def slow():
        with store.transaction(owner.actor) as work:
            inside.set()
            rotating.wait(0.5)
            stored_screenings.append(screenings.add_screening(work, intake("MRN-slow")))
            work.audit("create")

    rotating = Event()
    with meanwhile(slow):
        assert inside.wait(5)
        key_rotation.rotate_data_key(store, owner.actor)
        rotating.set()
    assert (
        do(store, owner, screenings.find_screening, stored_screenings[0].id).patient.reference
        == "MRN-slow"
    )


def test_a_row_locked_by_another_transaction_is_encrypted_again_later(store):
    if store.database.is_embedded:
        pytest.skip("SQLite has one writer at a time")
    owner = clinic(store)
    screening = add(store, owner)
    with (
        store.database.engine.connect() as other,
        meanwhile(lambda: key_rotation.rotate_data_key(store, owner.actor)) as thread,
        other.begin(),
    ):
        other.exec_driver_sql("SELECT set_config('nociscreen.every_organisation', 'on', true)")
        other.exec_driver_sql("SELECT 1 FROM screening FOR KEY SHARE")
        thread.join(1)
    assert do(store, owner, screenings.find_screening, screening.id).id == screening.id


def test_rotations_and_writers_at_once_leave_one_key_and_every_screening(store):
    owner = clinic(store)

    def act(number):
        if number < 2:
            return [key_rotation.rotate_data_key(store, owner.actor) for _ in range(2)] and []
        return [add(store, owner, f"MRN-{number}") for _ in range(15)]

    id_lists = run_concurrently(6, act)
    stored_screenings = [screening for some in id_lists for screening in some]
    assert len(stored_screenings) == 60
    key_rotation.finish_rotation(store, owner.actor)
    assert len(data_keys(store, owner)) == 1
    assert read_everything(store, owner, stored_screenings) == stored_screenings


def test_rows_of_other_organisations_stay_as_they_are(store):
    owner, other = clinic(store), clinic(store)
    screening = add(store, other)
    with store.read_all_organisations() as session:
        before = session.execute(select(ScreeningRow.answers)).scalar_one()
    key_rotation.rotate_data_key(store, owner.actor)
    with store.read_all_organisations() as session:
        assert session.execute(select(ScreeningRow.answers)).scalar_one() == before
    assert read_everything(store, other, [screening]) == [screening]


def rotate_ring(store, settings):
    """As `nociscreen keys rotate` does."""
    prepend_new_key(settings.key_ring_file)
    store.key_ring.reload()
    if store.database.is_embedded:
        path = settings.database_file
        file_key.write_file_key(path, store.key_ring, file_key.load_file_key(path, store.key_ring))
    with store.write_all_organisations() as session:
        return rewrap_keys(session, store.key_ring)


def test_the_old_key_of_the_ring_is_not_needed_any_more(store_settings):
    store = open_store(store_settings)
    owner = clinic(store)
    screening = add(store, owner)
    assert rotate_ring(store, store_settings) == 5
    assert rotate_ring(store, store_settings) == 5
    store.close()
    newest = store_settings.key_ring_file.read_text().splitlines()[0]
    old = store_settings.key_ring_file.read_text().splitlines()[1]
    store_settings.key_ring_file.write_text(newest)
    store = open_store(store_settings)
    assert do(store, owner, screenings.find_screening, screening.id) == screening
    assert store.signing_keys.find_current_key()
    store.close()
    store_settings.key_ring_file.write_text(old)
    with pytest.raises((KeyRingError, UnavailableError)):
        reopened = open_store(store_settings)
        try:
            do(reopened, owner, screenings.find_screening, screening.id)
        finally:
            reopened.close()


def test_a_running_store_meets_the_new_key_of_the_ring(store_settings):
    running, commanding = open_store(store_settings), open_store(store_settings)
    owner = clinic(running)
    screening = add(running, owner)
    rotate_ring(commanding, store_settings)
    newest = store_settings.key_ring_file.read_text().splitlines()[0]
    store_settings.key_ring_file.write_text(newest)
    late = clinic(commanding)
    assert add(running, late)
    assert read_everything(running, owner, [screening]) == [screening]
    later = clinic(running)
    running.close()
    commanding.close()
    again = open_store(store_settings)
    assert add(again, later)
    again.close()
