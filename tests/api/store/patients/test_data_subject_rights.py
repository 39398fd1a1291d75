"""The rights of a patient: found, given out, held and erased, and no one else with them."""

import pytest
from sqlalchemy import func, select
from support.builders import add, clinic, do, fill_patient_record, intake, run_concurrently

from api.store.audit import chain
from api.store.database.tables import (
    AcknowledgementRow,
    AnsweredRow,
    AttemptRow,
    DeliveryRow,
    DraftRow,
    EnteredInErrorRow,
    LegalHoldRow,
    LinkRow,
    NotificationRow,
    PatientMoveRow,
    ReportRow,
    ResponseDraftRow,
    ScreeningRow,
)
from api.store.errors import ConflictError, LegalHoldError, NotFoundError
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings

PATIENT_TABLES = (
    AcknowledgementRow, AnsweredRow, AttemptRow, DeliveryRow, DraftRow, EnteredInErrorRow,
    LegalHoldRow, LinkRow, NotificationRow, PatientMoveRow, ReportRow, ResponseDraftRow,
    ScreeningRow,
)  # fmt: skip
PERSON = PatientSelector("MRN-0042", None)


def rows(store, clinic):
    with store.read_all_organisations() as session:
        return [
            session.execute(
                select(func.count()).where(table.organisation_id == clinic.organisation)
            ).scalar_one()
            for table in PATIENT_TABLES
        ]


def test_a_person_is_erased_everywhere_and_no_one_else(store):
    owner, other = clinic(store), clinic(store)
    fill_patient_record(store, owner)
    fill_patient_record(store, owner, "MRN-1")
    fill_patient_record(store, other)
    one, beside = rows(store, other), rows(store, owner)
    assert all(one)
    assert do(
        store, owner, data_subject_rights.erase_patient, PERSON
    ) == data_subject_rights.ErasureCounts(
        screenings=2, reports=1, acknowledgements=1, deliveries=1, links=1, response_drafts=1
    )
    assert rows(store, owner) == [both - item for both, item in zip(beside, one, strict=True)]
    assert rows(store, other) == one
    with pytest.raises(NotFoundError):
        do(store, owner, data_subject_rights.erase_patient, PERSON)


def test_the_chain_of_the_audit_outlives_the_patient(store):
    owner = clinic(store)
    fill_patient_record(store, owner)
    do(store, owner, data_subject_rights.erase_patient, PERSON)
    with store.read_all_organisations() as session:
        key = store.organisation_keys.load_keys(session, owner.organisation).audit
        assert chain.verify_chain(session, key) == ()


def test_a_long_chain_of_amendments_goes_with_its_patient(store, monkeypatch):
    monkeypatch.setattr(data_subject_rights, "_STEP", 2)
    owner = clinic(store)
    latest = add(store, owner)
    for _ in range(6):
        latest = do(
            store, owner, lambda work, of: screenings.amend_screening(work, of, intake()), latest
        )
    assert do(store, owner, data_subject_rights.erase_patient, PERSON).screenings == 7


def test_a_reference_of_several_systems_needs_the_system(store):
    owner = clinic(store)
    one = add(store, owner, system="urn:one")
    two = add(store, owner, system="urn:two")
    for act in (data_subject_rights.erase_patient, data_subject_rights.export_patient):
        with pytest.raises(ConflictError):
            do(store, owner, act, PERSON)
    assert (
        do(
            store, owner, data_subject_rights.erase_patient, PatientSelector("MRN-0042", "urn:one")
        ).screenings
        == 1
    )
    with pytest.raises(NotFoundError):
        do(store, owner, screenings.find_screening, one.id)
    assert do(store, owner, screenings.find_screening, two.id)
    assert do(store, owner, data_subject_rights.erase_patient, PERSON).screenings == 1


def test_a_hold_keeps_from_being_erased_until_it_is_released(store):
    owner = clinic(store)
    add(store, owner)
    hold = do(store, owner, legal_holds.place_hold, PERSON, "lawsuit")
    with pytest.raises(LegalHoldError):
        do(store, owner, data_subject_rights.erase_patient, PERSON)
    assert do(store, owner, legal_holds.list_holds) == [hold]
    assert do(store, owner, data_subject_rights.export_patient, PERSON).holds == (hold,)
    with pytest.raises(NotFoundError):
        do(store, clinic(store), legal_holds.release_hold, hold.id)
    do(store, owner, legal_holds.release_hold, hold.id)
    with pytest.raises(NotFoundError):
        do(store, owner, legal_holds.release_hold, hold.id)
    assert do(store, owner, data_subject_rights.erase_patient, PERSON).screenings == 1


@pytest.mark.parametrize(
    ("on", "erased", "blocks"),
    [
        (None, "urn:one", True),
        ("urn:one", None, True),
        ("urn:one", "urn:one", True),
        ("urn:two", "urn:one", False),
    ],
)
def test_a_hold_without_a_system_is_on_everyone_of_that_reference(store, on, erased, blocks):
    owner = clinic(store)
    add(store, owner, system="urn:one")
    do(store, owner, legal_holds.place_hold, PatientSelector("MRN-0042", on), "lawsuit")
    if blocks:
        with pytest.raises(LegalHoldError):
            do(store, owner, data_subject_rights.erase_patient, PatientSelector("MRN-0042", erased))
    else:
        assert (
            do(
                store, owner, data_subject_rights.erase_patient, PatientSelector("MRN-0042", erased)
            ).screenings
            == 1
        )


@pytest.mark.parametrize(("on", "blocks"), [(None, True), ("urn:one", False)])
def test_the_one_without_a_system_is_held_by_holds_that_name_none(store, on, blocks):
    owner = clinic(store)
    add(store, owner, system="urn:one")
    add(store, owner)
    do(store, owner, legal_holds.place_hold, PatientSelector("MRN-0042", on), "lawsuit")
    without = PatientSelector("MRN-0042", None, without_system=True)
    if blocks:
        with pytest.raises(LegalHoldError):
            do(store, owner, data_subject_rights.erase_patient, without)
    else:
        assert do(store, owner, data_subject_rights.erase_patient, without).screenings == 1
        assert do(
            store, owner, data_subject_rights.export_patient, PatientSelector("MRN-0042", None)
        ).holds


def test_a_hold_and_an_erasure_at_once_never_both_have_their_way(store):
    owner = clinic(store)
    for number in range(20):
        person = PatientSelector(f"MRN-{number}", None)
        add(store, owner, person.reference)

        def act(number, person=person):
            if number:
                return do(store, owner, legal_holds.place_hold, person, "why") and False
            return bool(do(store, owner, data_subject_rights.erase_patient, person))

        erased, _ = run_concurrently(2, act)
        if isinstance(erased, LegalHoldError):
            assert do(store, owner, data_subject_rights.export_patient, person).screenings
        else:
            assert erased is True


def test_the_export_contains_everything_stored_on_the_patient(store):
    owner = clinic(store)
    first, second = fill_patient_record(store, owner)
    exported = do(store, owner, data_subject_rights.export_patient, PERSON)
    assert {screening.id for screening in exported.screenings} == {first.id, second.id}
    exported_first = next(
        screening for screening in exported.screenings if screening.id == first.id
    )
    assert exported_first.answers == first.answers
    assert exported_first.entered_in_error.reason == "reason-w"
    assert exported_first.acknowledgements[0].done == "done-w"
    assert [report.content for report in exported.reports] == [b"%PDF report-w"]
    assert "JVBERiByZXBvcnQtdw==" in exported.model_dump_json()
    with pytest.raises(NotFoundError):
        do(store, clinic(store), data_subject_rights.export_patient, PERSON)
