"""What is kept of signing in and importing: sealed anew by rotation, dropped when it is over."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select
from support import builders
from support.browser.practitioners import person
from support.builders import clinic, do, intake

from api.problems import Problem
from api.store.accounts import (
    invitations,
    login_attempts,
    login_credentials,
    practitioners,
    sessions,
)
from api.store.accounts.login_attempts import AttemptCounter
from api.store.accounts.sessions import SessionLifetimes
from api.store.database.tables import FailureRow, ImportedRow, InvitationRow, SessionRow, SignInRow
from api.store.operations import housekeeping, key_rotation
from api.store.patients import data_subject_rights
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import imported_rows

LASTING = SessionLifetimes(timedelta(minutes=30), timedelta(hours=12))


def count(store, table) -> int:
    with store.read_all_organisations() as session:
        return len(session.execute(select(table)).all())


def test_a_second_factor_and_an_invitation_are_sealed_anew_by_rotation(store):
    made = clinic(store)
    who = person(store, made)
    invited = do(
        store,
        made,
        practitioners.add_practitioner,
        "new",
        "Dr New",
        practitioners.DEFAULT_PRACTITIONER_SCOPES,
    )
    invitation, _ = do(store, made, invitations.add_invitation, invited.id)
    before = do(store, made, invitations.read_totp_secret, invitation.id)
    with store.read_all_organisations() as session:
        sealed = session.execute(select(SignInRow)).scalar_one().totp
    key_rotation.rotate_data_key(store, made.actor)
    with store.read_all_organisations() as session:
        assert session.execute(select(SignInRow)).scalar_one().totp != sealed
    assert do(store, made, login_credentials.use_second_factor, who.id, who.code)
    assert do(store, made, invitations.read_totp_secret, invitation.id) == before


def test_what_is_over_is_dropped_by_upkeep(store):
    made = clinic(store)
    who = person(store, made)
    do(store, made, sessions.begin_session, who.id, LASTING)
    do(store, made, invitations.add_invitation, who.id)
    login_attempts.record_attempt(store, [AttemptCounter("a way", 5)])
    housekeeping.run_housekeeping(store, "ES256", 30)
    assert [count(store, t) for t in (SessionRow, InvitationRow, FailureRow)] == [1, 1, 1]
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8), tick=False):
        housekeeping.run_housekeeping(store, "ES256", 30)
    assert [count(store, t) for t in (SessionRow, InvitationRow, FailureRow)] == [0, 0, 0]


def test_a_name_belongs_to_one_practitioner_of_all_organisations(store):
    one, two = clinic(store), clinic(store)
    who = person(store, one)
    other = do(
        store,
        two,
        practitioners.add_practitioner,
        "r",
        "Dr Other",
        practitioners.DEFAULT_PRACTITIONER_SCOPES,
    )
    chosen = login_credentials.NewCredentials(who.name.upper(), "hash", who.totp, 0)
    with pytest.raises(Problem) as refused:
        do(store, two, login_credentials.set_credentials, other.id, chosen)
    assert refused.value.code == "conflict"
    assert login_credentials.look_up_login(store, who.name).practitioner == who.id


def test_a_session_of_one_organisation_is_not_ended_by_another(store):
    one, two = clinic(store), clinic(store)
    who = person(store, one)
    secret = do(store, one, sessions.begin_session, who.id, LASTING)
    found = sessions.look_up_session(store, secret, LASTING)
    do(store, two, sessions.end_session, found.session)
    do(store, two, sessions.end_session_by_secret, secret)
    assert do(store, two, sessions.end_practitioner_sessions, who.id) == 0
    assert sessions.look_up_session(store, secret, LASTING) == found


def test_who_may_do_nothing_is_not_invited(store):
    made = clinic(store)
    idle = do(store, made, practitioners.add_practitioner, "r", "Dr Idle", ())
    with pytest.raises(Problem) as refused:
        do(store, made, invitations.add_invitation, idle.id)
    assert refused.value.code == "conflict"


def test_an_imported_row_is_forgotten_with_its_screening(store):
    made, other = clinic(store), clinic(store)
    do(store, made, imported_rows.add_imported_screening, "row 1", intake("MRN-0042"))
    assert do(store, made, imported_rows.is_imported, "row 1")
    assert not do(store, other, imported_rows.is_imported, "row 1")
    with pytest.raises(Problem):
        do(store, made, imported_rows.add_imported_screening, "row 1", intake("MRN-0042"))
    builders.add(store, made, "MRN-0001")
    do(store, made, data_subject_rights.erase_patient, PatientSelector("MRN-0042", None))
    assert count(store, ImportedRow) == 0
    assert not do(store, made, imported_rows.is_imported, "row 1")
