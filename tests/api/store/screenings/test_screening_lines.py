"""Lines of lists: what they show of an assessment, without opening it."""

from sqlalchemy import text
from support.builders import add, clinic, do, tampering_connection

from api.store.operations import key_rotation
from api.store.patients import merges
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import search
from schemas.patients.screening import ScreeningFilters

NO_ASSESSMENT = {True: "assessment = x'00'", False: "assessment = 'x'::bytea"}
"""An assessment that cannot be decrypted, on SQLite and on PostgreSQL."""


def list_screenings(store, owner):
    return do(store, owner, search.list_first_page, ScreeningFilters(), 9).lines


def change_screenings(store, owner, values):
    """Change the columns of a clinic's screenings past every trigger."""
    with tampering_connection(store) as connection:
        changing = f"UPDATE screening SET {values} WHERE organisation_id = :owner"
        connection.execute(text(changing), {"owner": owner.organisation})


def test_a_list_opens_no_assessment(store):
    owner = clinic(store)
    flagged = add(store, owner, example="red_flag").assessment
    change_screenings(store, owner, NO_ASSESSMENT[store.database.is_embedded])
    (line,) = list_screenings(store, owner)
    assert (line.status, line.tier) == (flagged.status, flagged.safety.tier)
    assert (line.flags, line.all_asked, line.not_asked) == (
        len(flagged.safety.flags),
        flagged.safety.all_asked,
        len(flagged.safety.unanswered),
    )
    assert line.flags


def test_a_screening_without_a_line_is_listed_the_same_and_gets_one_when_keys_rotate(store):
    owner = clinic(store)
    add(store, owner)
    add(store, owner, example="red_flag")
    lines = list_screenings(store, owner)
    change_screenings(store, owner, "line = NULL")
    assert list_screenings(store, owner) == lines
    key_rotation.rotate_data_key(store, owner.actor)
    change_screenings(store, owner, NO_ASSESSMENT[store.database.is_embedded])
    assert list_screenings(store, owner) == lines


def test_a_merge_keeps_the_line(store):
    owner = clinic(store)
    add(store, owner, "old")
    before = list_screenings(store, owner)
    do(
        store,
        owner,
        merges.merge_patients,
        PatientSelector("old", None),
        PatientSelector("x", None),
    )
    (line,) = list_screenings(store, owner)
    assert line.patient.reference == "x"
    assert line.model_copy(update={"patient": before[0].patient}) == before[0]
