"""Accept an invitation: check the chosen login credentials, store them and start a session."""

from collections.abc import Iterable
from typing import NamedTuple

from fastapi import Request

from api.auth.route_guard import stranger
from api.desk.login import start_session
from api.problems import Problem
from api.security.passwords import WeakPasswordError, check_strength, hashed_password
from api.security.totp import step_of
from api.store.accounts import invitations, login_credentials, sessions
from api.store.accounts.invitations import Invited
from api.store.accounts.login_credentials import Chosen
from api.store.operations.denied_requests import Refusals
from api.store.store import Store

MIN_NAME_LENGTH, MAX_NAME_LENGTH = 3, 100


class InvitationForm(NamedTuple):
    """The fields of the invitation page."""

    name: str
    password: str
    password_repeat: str
    code: str


def find_form_faults(form: InvitationForm, invited: Invited) -> dict[str, str]:
    """Return the faults of name and password: a phrase by field name."""
    faults = {}
    name = form.name.strip()
    if not MIN_NAME_LENGTH <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        faults["name"] = "fault_name"
    practitioner = invited.practitioner
    known_words = (name, practitioner.name, practitioner.reference, invited.organisation_name)
    return faults | find_password_faults(form.password, form.password_repeat, known_words)


def find_password_faults(
    password: str, password_repeat: str, known_words: Iterable[str]
) -> dict[str, str]:
    """Return the faults of a new password, which must not be guessable from the known words."""
    faults = {}
    texts = list(known_words)
    words = [word for text in texts for word in text.split()]
    try:
        check_strength(password, (*texts, *words))
    except WeakPasswordError as error:
        faults["password"] = str(error)
    if password != password_repeat:
        faults["again"] = "fault_again"
    return faults


def accept_invitation(
    request: Request, invited: Invited, form: InvitationForm, faults: dict[str, str]
) -> tuple[tuple[str, ...], str] | None:
    """Store the credentials; return recovery codes and session secret, or None after adding faults.

    Raises Problem.
    """
    store: Store = request.app.state.store
    password_hash = hashed_password(form.password)
    practitioner = invited.practitioner.id
    actor = stranger(request)._replace(
        organisation=invited.organisation, id=practitioner, means="session"
    )
    try:
        with store.transaction(actor) as work:
            totp = invitations.totp_of(work, invited.id)
            step = step_of(totp, form.code)
            if step is None:
                faults["code"] = "fault_code"
                work.audit("refuse", "invitation", invited.id, outcome="bad_sign_in")
                return None
            invitations.use_up(work, invited.id)
            sessions.end_all(work, practitioner)
            credentials = Chosen(form.name, password_hash, totp, step)
            codes = login_credentials.choose(work, practitioner, credentials)
            work.audit("administer", "sign_in", practitioner)
            return codes, start_session(request, work, practitioner)
    except Problem as problem:
        if problem.code != "conflict":
            raise
        refusals: Refusals = request.app.state.refusals
        refusals.record(actor, problem.code, invited.id)
        faults["name"] = "fault_name_taken"
        return None
