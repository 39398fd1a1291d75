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
from api.store.accounts.login_attempts import Trying
from api.store.accounts.sessions import Lasting
from api.store.database.tables import FailureRow, ImportedRow, InvitationRow, SessionRow, SignInRow
from api.store.operations import housekeeping, key_rotation
from api.store.patients import data_subject_rights
from api.store.patients.patient_lookup import Person
from api.store.screenings import imported_rows

LASTING = Lasting(timedelta(minutes=30), timedelta(hours=12))


def count(store, table) -> int:
    with store.glance() as session:
        return len(session.execute(select(table)).all())


def test_a_second_factor_and_an_invitation_are_sealed_anew_by_rotation(store):
    made = clinic(store)
    who = person(store, made)
    invited = do(store, made, practitioners.add, "new", "Dr New", practitioners.AT_DESK)
    invitation, _ = do(store, made, invitations.make, invited.id)
    before = do(store, made, invitations.totp_of, invitation.id)
    with store.glance() as session:
        sealed = session.execute(select(SignInRow)).scalar_one().totp
    key_rotation.rotate(store, made.actor)
    with store.glance() as session:
        assert session.execute(select(SignInRow)).scalar_one().totp != sealed
    assert do(store, made, login_credentials.is_second_factor, who.id, who.code)
    assert do(store, made, invitations.totp_of, invitation.id) == before


def test_what_is_over_is_dropped_by_upkeep(store):
    made = clinic(store)
    who = person(store, made)
    do(store, made, sessions.begin, who.id, LASTING)
    do(store, made, invitations.make, who.id)
    login_attempts.take(store, [Trying("a way", 5)])
    housekeeping.keep_up(store, "ES256", 30)
    assert [count(store, t) for t in (SessionRow, InvitationRow, FailureRow)] == [1, 1, 1]
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8), tick=False):
        housekeeping.keep_up(store, "ES256", 30)
    assert [count(store, t) for t in (SessionRow, InvitationRow, FailureRow)] == [0, 0, 0]


def test_a_name_belongs_to_one_practitioner_of_all_organisations(store):
    one, two = clinic(store), clinic(store)
    who = person(store, one)
    other = do(store, two, practitioners.add, "r", "Dr Other", practitioners.AT_DESK)
    chosen = login_credentials.Chosen(who.name.upper(), "hash", who.totp, 0)
    with pytest.raises(Problem) as refused:
        do(store, two, login_credentials.choose, other.id, chosen)
    assert refused.value.code == "conflict"
    assert login_credentials.named(store, who.name).practitioner == who.id


def test_a_session_of_one_organisation_is_not_ended_by_another(store):
    one, two = clinic(store), clinic(store)
    who = person(store, one)
    secret = do(store, one, sessions.begin, who.id, LASTING)
    found = sessions.signed_in(store, secret, LASTING)
    do(store, two, sessions.end, found.session)
    do(store, two, sessions.end_held, secret)
    assert do(store, two, sessions.end_all, who.id) == 0
    assert sessions.signed_in(store, secret, LASTING) == found


def test_who_may_do_nothing_is_not_invited(store):
    made = clinic(store)
    idle = do(store, made, practitioners.add, "r", "Dr Idle", ())
    with pytest.raises(Problem) as refused:
        do(store, made, invitations.make, idle.id)
    assert refused.value.code == "conflict"


def test_an_imported_row_is_forgotten_with_its_screening(store):
    made, other = clinic(store), clinic(store)
    do(store, made, imported_rows.keep, "row 1", intake("MRN-0042"))
    assert do(store, made, imported_rows.is_there, "row 1")
    assert not do(store, other, imported_rows.is_there, "row 1")
    with pytest.raises(Problem):
        do(store, made, imported_rows.keep, "row 1", intake("MRN-0042"))
    builders.add(store, made, "MRN-0001")
    do(store, made, data_subject_rights.erase, Person("MRN-0042", None))
    assert count(store, ImportedRow) == 0
    assert not do(store, made, imported_rows.is_there, "row 1")
