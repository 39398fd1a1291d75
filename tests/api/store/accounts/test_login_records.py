"""Records of logins and imports: encrypted again by rotation, deleted when they expire."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select
from support import builders
from support.browser.practitioners import add_practitioner_login
from support.builders import clinic, do, intake

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
from api.store.errors import ConflictError
from api.store.operations import housekeeping, key_rotation
from api.store.patients import data_subject_rights
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import imported_rows

LASTING = SessionLifetimes(timedelta(minutes=30), timedelta(hours=12))


@pytest.fixture
def store(own_store):
    """A store of its own: the tests count the rows of all organisations."""
    return own_store


def count(store, table) -> int:
    with store.read_all_organisations() as session:
        return len(session.execute(select(table)).all())


def test_rotation_encrypts_second_factors_and_invitations_again(store):
    owner = clinic(store)
    login = add_practitioner_login(store, owner)
    invited = do(
        store,
        owner,
        practitioners.add_practitioner,
        "new",
        "Dr New",
        practitioners.DEFAULT_PRACTITIONER_SCOPES,
    )
    invitation, _ = do(store, owner, invitations.add_invitation, invited.id)
    before = do(store, owner, invitations.read_totp_secret, invitation.id)
    with store.read_all_organisations() as session:
        encrypted_totp = session.execute(select(SignInRow)).scalar_one().totp
    key_rotation.rotate_data_key(store, owner.actor)
    with store.read_all_organisations() as session:
        assert session.execute(select(SignInRow)).scalar_one().totp != encrypted_totp
    assert do(store, owner, login_credentials.use_second_factor, login.id, login.code)
    assert do(store, owner, invitations.read_totp_secret, invitation.id) == before


def test_what_is_over_is_dropped_by_upkeep(store):
    owner = clinic(store)
    login = add_practitioner_login(store, owner)
    do(store, owner, sessions.begin_session, login.id, LASTING)
    do(store, owner, invitations.add_invitation, login.id)
    login_attempts.record_attempt(store, [AttemptCounter("a way", 5)])
    housekeeping.run_housekeeping(store, "ES256", 30)
    assert [count(store, t) for t in (SessionRow, InvitationRow, FailureRow)] == [1, 1, 1]
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8), tick=False):
        housekeeping.run_housekeeping(store, "ES256", 30)
    assert [count(store, t) for t in (SessionRow, InvitationRow, FailureRow)] == [0, 0, 0]


def test_a_name_belongs_to_one_practitioner_of_all_organisations(store):
    one, two = clinic(store), clinic(store)
    login = add_practitioner_login(store, one)
    other = do(
        store,
        two,
        practitioners.add_practitioner,
        "r",
        "Dr Other",
        practitioners.DEFAULT_PRACTITIONER_SCOPES,
    )
    credentials = login_credentials.NewCredentials(login.name.upper(), "hash", login.totp, 0)
    with pytest.raises(ConflictError):
        do(store, two, login_credentials.set_credentials, other.id, credentials)
    assert login_credentials.look_up_login(store, login.name).practitioner == login.id


def test_a_session_of_one_organisation_is_not_ended_by_another(store):
    one, two = clinic(store), clinic(store)
    login = add_practitioner_login(store, one)
    secret = do(store, one, sessions.begin_session, login.id, LASTING)
    found_session = sessions.look_up_session(store, secret, LASTING)
    do(store, two, sessions.end_session, found_session.session)
    do(store, two, sessions.end_session_by_secret, secret)
    assert do(store, two, sessions.end_practitioner_sessions, login.id) == 0
    assert sessions.look_up_session(store, secret, LASTING) == found_session


def test_a_practitioner_without_scopes_is_not_invited(store):
    owner = clinic(store)
    idle = do(store, owner, practitioners.add_practitioner, "r", "Dr Idle", ())
    with pytest.raises(ConflictError):
        do(store, owner, invitations.add_invitation, idle.id)


def test_an_imported_row_is_forgotten_with_its_screening(store):
    owner, other = clinic(store), clinic(store)
    do(store, owner, imported_rows.add_imported_screening, "row 1", intake("MRN-0042"))
    assert do(store, owner, imported_rows.find_imported_screening, "row 1")
    assert not do(store, other, imported_rows.find_imported_screening, "row 1")
    with pytest.raises(ConflictError):
        do(store, owner, imported_rows.add_imported_screening, "row 1", intake("MRN-0042"))
    builders.add(store, owner, "MRN-0001")
    do(store, owner, data_subject_rights.erase_patient, PatientSelector("MRN-0042", None))
    assert count(store, ImportedRow) == 0
    assert not do(store, owner, imported_rows.find_imported_screening, "row 1")
