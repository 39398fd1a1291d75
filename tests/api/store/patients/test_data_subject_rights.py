"""The rights of a patient: found, given out, held and erased, and no one else with them."""

import pytest
from sqlalchemy import func, select
from support.builders import add, all_there_is, at_once, clinic, do, intake

from api.problems import Problem
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
    PatientMoveRow,
    ReportRow,
    ScreeningRow,
)
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings

KEPT = (
    AcknowledgementRow, AnsweredRow, AttemptRow, DeliveryRow, DraftRow, EnteredInErrorRow,
    LegalHoldRow, LinkRow, PatientMoveRow, ReportRow, ScreeningRow,
)  # fmt: skip
PERSON = PatientSelector("MRN-0042", None)


def rows(store, clinic):
    with store.read_all_organisations() as session:
        return [
            session.execute(
                select(func.count()).where(table.organisation_id == clinic.organisation)
            ).scalar_one()
            for table in KEPT
        ]


def test_a_person_is_erased_everywhere_and_no_one_else(store):
    made, other = clinic(store), clinic(store)
    all_there_is(store, made)
    all_there_is(store, made, "MRN-1")
    all_there_is(store, other)
    one, beside = rows(store, other), rows(store, made)
    assert all(one)
    assert do(
        store, made, data_subject_rights.erase_patient, PERSON
    ) == data_subject_rights.ErasureCounts(
        screenings=2, reports=1, acknowledgements=1, deliveries=1, links=1
    )
    assert rows(store, made) == [both - each for both, each in zip(beside, one, strict=True)]
    assert rows(store, other) == one
    with pytest.raises(Problem, match="not_found"):
        do(store, made, data_subject_rights.erase_patient, PERSON)


def test_the_chain_of_the_audit_outlives_the_patient(store):
    made = clinic(store)
    all_there_is(store, made)
    do(store, made, data_subject_rights.erase_patient, PERSON)
    with store.read_all_organisations() as session:
        key = store.keys.of(session, made.organisation).audit
        assert chain.verify_chain(session, key) == ()


def test_a_long_chain_of_amendments_goes_with_its_patient(store, monkeypatch):
    monkeypatch.setattr(data_subject_rights, "_STEP", 2)
    made = clinic(store)
    latest = add(store, made)
    for _ in range(6):
        latest = do(
            store, made, lambda work, of: screenings.amend_screening(work, of, intake()), latest
        )
    assert do(store, made, data_subject_rights.erase_patient, PERSON).screenings == 7


def test_a_reference_of_several_systems_needs_the_system(store):
    made = clinic(store)
    one = add(store, made, system="urn:one")
    two = add(store, made, system="urn:two")
    for act in (data_subject_rights.erase_patient, data_subject_rights.export_patient):
        with pytest.raises(Problem, match="conflict"):
            do(store, made, act, PERSON)
    assert (
        do(
            store, made, data_subject_rights.erase_patient, PatientSelector("MRN-0042", "urn:one")
        ).screenings
        == 1
    )
    with pytest.raises(Problem, match="not_found"):
        do(store, made, screenings.find_screening, one.id)
    assert do(store, made, screenings.find_screening, two.id)
    assert do(store, made, data_subject_rights.erase_patient, PERSON).screenings == 1


def test_a_hold_keeps_from_being_erased_until_it_is_released(store):
    made = clinic(store)
    add(store, made)
    hold = do(store, made, legal_holds.place_hold, PERSON, "lawsuit")
    with pytest.raises(Problem, match="held"):
        do(store, made, data_subject_rights.erase_patient, PERSON)
    assert do(store, made, legal_holds.list_holds) == [hold]
    assert do(store, made, data_subject_rights.export_patient, PERSON).holds == (hold,)
    with pytest.raises(Problem, match="not_found"):
        do(store, clinic(store), legal_holds.release_hold, hold.id)
    do(store, made, legal_holds.release_hold, hold.id)
    with pytest.raises(Problem, match="not_found"):
        do(store, made, legal_holds.release_hold, hold.id)
    assert do(store, made, data_subject_rights.erase_patient, PERSON).screenings == 1


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
    made = clinic(store)
    add(store, made, system="urn:one")
    do(store, made, legal_holds.place_hold, PatientSelector("MRN-0042", on), "lawsuit")
    if blocks:
        with pytest.raises(Problem, match="held"):
            do(store, made, data_subject_rights.erase_patient, PatientSelector("MRN-0042", erased))
    else:
        assert (
            do(
                store, made, data_subject_rights.erase_patient, PatientSelector("MRN-0042", erased)
            ).screenings
            == 1
        )


@pytest.mark.parametrize(("on", "blocks"), [(None, True), ("urn:one", False)])
def test_the_one_without_a_system_is_held_by_holds_that_name_none(store, on, blocks):
    made = clinic(store)
    add(store, made, system="urn:one")
    add(store, made)
    do(store, made, legal_holds.place_hold, PatientSelector("MRN-0042", on), "lawsuit")
    without = PatientSelector("MRN-0042", None, without_system=True)
    if blocks:
        with pytest.raises(Problem, match="held"):
            do(store, made, data_subject_rights.erase_patient, without)
    else:
        assert do(store, made, data_subject_rights.erase_patient, without).screenings == 1
        assert do(
            store, made, data_subject_rights.export_patient, PatientSelector("MRN-0042", None)
        ).holds


def test_a_hold_and_an_erasure_at_once_never_both_have_their_way(store):
    made = clinic(store)
    for each in range(20):
        person = PatientSelector(f"MRN-{each}", None)
        add(store, made, person.reference)

        def act(number, person=person):
            if number:
                return do(store, made, legal_holds.place_hold, person, "why") and False
            return bool(do(store, made, data_subject_rights.erase_patient, person))

        erased, _ = at_once(2, act)
        if isinstance(erased, Problem):
            assert erased.code == "held"
            assert do(store, made, data_subject_rights.export_patient, person).screenings


def test_the_export_holds_all_that_is_kept(store):
    made = clinic(store)
    first, second = all_there_is(store, made)
    exported = do(store, made, data_subject_rights.export_patient, PERSON)
    assert {each.id for each in exported.screenings} == {first.id, second.id}
    whole = next(each for each in exported.screenings if each.id == first.id)
    assert whole.answers == first.answers
    assert whole.entered_in_error.reason == "reason-w"
    assert whole.acknowledgements[0].done == "done-w"
    assert [each.content for each in exported.reports] == [b"%PDF report-w"]
    assert "JVBERiByZXBvcnQtdw==" in exported.model_dump_json()
    with pytest.raises(Problem, match="not_found"):
        do(store, clinic(store), data_subject_rights.export_patient, PERSON)
