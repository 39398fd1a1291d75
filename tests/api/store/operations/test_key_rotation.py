"""Rotation: of an organisation's data key, and of the ring, while both are in use."""

from contextlib import contextmanager
from threading import Event, Thread

import pytest
from sqlalchemy import select
from support.builders import add, all_there_is, at_once, clinic, do, intake

from api.problems import Problem
from api.store import idempotency
from api.store.database.tables import OrganisationKeyRow, ScreeningRow
from api.store.key_ring import KeyRingError, prepend_new_key
from api.store.keys import file_key
from api.store.operations import key_rotation
from api.store.operations.key_rewrapping import rewrap_keys
from api.store.operations.startup import open_store
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings, search
from schemas.screening import ScreeningFilters


def whole(store, clinic, kept):
    return [do(store, clinic, screenings.find_screening, each.id) for each in kept]


def by_patient(store, clinic, reference):
    page = do(store, clinic, search.list_first_page, ScreeningFilters(patient=reference), 100)
    return {each.id for each in page.lines}


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


def again(store, clinic, made):
    """What the request that made it is answered now."""

    def act(work):
        named = idempotency.build_keyed_request(
            work, "POST /v1/screenings", f"key-{made.id}", b"body"
        )
        return idempotency.run_once(work, named, lambda: pytest.fail("done twice"))

    return do(store, clinic, act)


def test_everything_opens_by_the_new_key_and_the_old_one_is_gone(store):
    made = clinic(store)
    kept = all_there_is(store, made)
    do(store, made, legal_holds.place_hold, PatientSelector("MRN-0042", None), "why")
    before, old = whole(store, made, kept), data_keys(store, made)
    exported = do(
        store, made, data_subject_rights.export_patient, PatientSelector("MRN-0042", None)
    )
    assert key_rotation.rotate_data_key(store, made.actor) == 15
    assert data_keys(store, made).isdisjoint(old)
    assert len(data_keys(store, made)) == 1
    assert whole(store, made, kept) == before
    assert (
        do(store, made, data_subject_rights.export_patient, PatientSelector("MRN-0042", None))
        == exported
    )
    assert exported.holds
    assert again(store, made, kept[0]).body == b"answer-w"
    assert by_patient(store, made, "MRN-0042") == {each.id for each in kept}


def test_search_finds_all_before_between_the_steps_and_after(store, monkeypatch):
    monkeypatch.setattr(key_rotation, "ROWS_PER_STEP", 1)
    made = clinic(store)
    kept = {add(store, made, "MRN-1").id for _ in range(3)} | {all_there_is(store, made)[0].id}
    ours = {each for each in kept if each in by_patient(store, made, "MRN-1")}
    assert len(ours) == 3
    step, seen = key_rotation._rotate_some_rows, []

    def watched(*given):
        seen.append(by_patient(store, made, "MRN-1"))
        return step(*given)

    monkeypatch.setattr(key_rotation, "_rotate_some_rows", watched)
    key_rotation.rotate_data_key(store, made.actor)
    assert len(seen) > 8
    assert all(each == ours for each in seen)
    assert by_patient(store, made, "MRN-1") == ours


def test_a_rotation_cut_off_half_way_is_finished(store, monkeypatch):
    monkeypatch.setattr(key_rotation, "ROWS_PER_STEP", 1)
    made = clinic(store)
    kept = all_there_is(store, made)
    before, old = whole(store, made, kept), data_keys(store, made)
    step, left = key_rotation._rotate_some_rows, iter([True, True, True])

    def cut_off(*given):
        next(left)
        return step(*given)

    with monkeypatch.context() as patched, pytest.raises(StopIteration):
        patched.setattr(key_rotation, "_rotate_some_rows", cut_off)
        key_rotation.rotate_data_key(store, made.actor)
    assert old < data_keys(store, made)
    assert whole(store, made, kept) == before
    assert key_rotation.finish_rotation(store, made.actor) == 11
    assert data_keys(store, made).isdisjoint(old)
    assert whole(store, made, kept) == before
    assert key_rotation.finish_rotation(store, made.actor) == 0


@contextmanager
def meanwhile(act):
    """A thread that runs beside the block; what it raised is raised here."""
    raised = []

    def run():
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)

    thread = Thread(target=run)
    thread.start()
    yield thread
    thread.join(30)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


def test_a_screening_under_way_while_the_key_changes_is_not_lost(store):
    made = clinic(store)
    add(store, made)
    inside, kept = Event(), []

    def slow():
        with store.transaction(made.actor) as work:
            inside.set()
            rotating.wait(0.5)
            kept.append(screenings.add_screening(work, intake("MRN-slow")))
            work.audit("create")

    rotating = Event()
    with meanwhile(slow):
        assert inside.wait(5)
        key_rotation.rotate_data_key(store, made.actor)
        rotating.set()
    assert do(store, made, screenings.find_screening, kept[0].id).patient.reference == "MRN-slow"


def test_a_row_that_another_transaction_holds_is_sealed_anew_all_the_same(store):
    if store.database.is_embedded:
        pytest.skip("SQLite has one writer at a time")
    made = clinic(store)
    kept = add(store, made)
    with (
        store.database.engine.connect() as other,
        meanwhile(lambda: key_rotation.rotate_data_key(store, made.actor)) as thread,
        other.open_run(),
    ):
        other.exec_driver_sql("SELECT set_config('nociscreen.every_organisation', 'on', true)")
        other.exec_driver_sql("SELECT 1 FROM screening FOR KEY SHARE")
        thread.join(1)
    assert do(store, made, screenings.find_screening, kept.id).id == kept.id


def test_rotations_and_writers_at_once_leave_one_key_and_every_screening(store):
    made = clinic(store)

    def act(number):
        if number < 2:
            return [key_rotation.rotate_data_key(store, made.actor) for _ in range(2)] and []
        return [add(store, made, f"MRN-{number}") for _ in range(15)]

    done = at_once(6, act)
    kept = [each for some in done for each in some]
    assert len(kept) == 60
    key_rotation.finish_rotation(store, made.actor)
    assert len(data_keys(store, made)) == 1
    assert whole(store, made, kept) == kept


def test_rows_of_other_organisations_stay_as_they_are(store):
    made, other = clinic(store), clinic(store)
    kept = add(store, other)
    with store.read_all_organisations() as session:
        before = session.execute(select(ScreeningRow.answers)).scalar_one()
    key_rotation.rotate_data_key(store, made.actor)
    with store.read_all_organisations() as session:
        assert session.execute(select(ScreeningRow.answers)).scalar_one() == before
    assert whole(store, other, [kept]) == [kept]


def rotate_ring(store, settings):
    """As `nociscreen keys rotate` does."""
    prepend_new_key(settings.key_ring_file)
    store.ring.reload()
    if store.database.is_embedded:
        path = settings.database_file
        file_key.write_file_key(path, store.ring, file_key.load_file_key(path, store.ring))
    with store.write_all_organisations() as session:
        return rewrap_keys(session, store.ring)


def test_the_old_key_of_the_ring_is_not_needed_any_more(kept):
    store = open_store(kept)
    made = clinic(store)
    screening = add(store, made)
    assert rotate_ring(store, kept) == 5
    assert rotate_ring(store, kept) == 5
    store.close()
    newest = kept.key_ring_file.read_text().splitlines()[0]
    old = kept.key_ring_file.read_text().splitlines()[1]
    kept.key_ring_file.write_text(newest)
    store = open_store(kept)
    assert do(store, made, screenings.find_screening, screening.id) == screening
    assert store.signing_keys.find_current_key()
    store.close()
    kept.key_ring_file.write_text(old)
    with pytest.raises((KeyRingError, Problem)):
        reopened = open_store(kept)
        try:
            do(reopened, made, screenings.find_screening, screening.id)
        finally:
            reopened.close()


def test_a_running_store_meets_the_new_key_of_the_ring(kept):
    running, commanding = open_store(kept), open_store(kept)
    made = clinic(running)
    screening = add(running, made)
    rotate_ring(commanding, kept)
    newest = kept.key_ring_file.read_text().splitlines()[0]
    kept.key_ring_file.write_text(newest)
    late = clinic(commanding)
    assert add(running, late)
    assert whole(running, made, [screening]) == [screening]
    later = clinic(running)
    running.close()
    commanding.close()
    again = open_store(kept)
    assert add(again, later)
    again.close()
