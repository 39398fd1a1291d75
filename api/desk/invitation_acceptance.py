"""Accept an invitation: check the chosen login credentials, store them and start a session."""

from collections.abc import Iterable
from typing import NamedTuple

from fastapi import Request

from api.auth.route_guard import build_anonymous_actor
from api.desk.login import start_session
from api.problems import Problem
from api.security.passwords import WeakPasswordError, check_password_strength, hash_password
from api.security.totp import find_matching_step
from api.store.accounts import invitations, login_credentials, sessions
from api.store.accounts.invitations import OpenInvitation
from api.store.accounts.login_credentials import NewCredentials
from api.store.operations.denied_requests import DeniedRequestLog
from api.store.store import Store

MIN_NAME_LENGTH, MAX_NAME_LENGTH = 3, 100


class InvitationForm(NamedTuple):
    """The fields of the invitation page."""

    name: str
    password: str
    password_repeat: str
    code: str


def find_form_faults(form: InvitationForm, invited: OpenInvitation) -> dict[str, str]:
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
        check_password_strength(password, (*texts, *words))
    except WeakPasswordError as error:
        faults["password"] = str(error)
    if password != password_repeat:
        faults["again"] = "fault_again"
    return faults


def accept_invitation(
    request: Request, invited: OpenInvitation, form: InvitationForm, faults: dict[str, str]
) -> tuple[tuple[str, ...], str] | None:
    """Store the credentials; return recovery codes and session secret, or None after adding faults.

    Raises Problem.
    """
    store: Store = request.app.state.store
    password_hash = hash_password(form.password)
    practitioner = invited.practitioner.id
    actor = build_anonymous_actor(request)._replace(
        organisation=invited.organisation, id=practitioner, means="session"
    )
    try:
        with store.transaction(actor) as work:
            totp = invitations.read_totp_secret(work, invited.id)
            step = find_matching_step(totp, form.code)
            if step is None:
                faults["code"] = "fault_code"
                work.audit("refuse", "invitation", invited.id, outcome="bad_sign_in")
                return None
            invitations.consume_invitation(work, invited.id)
            sessions.end_practitioner_sessions(work, practitioner)
            credentials = NewCredentials(form.name, password_hash, totp, step)
            codes = login_credentials.set_credentials(work, practitioner, credentials)
            work.audit("administer", "sign_in", practitioner)
            return codes, start_session(request, work, practitioner)
    except Problem as problem:
        if problem.code != "conflict":
            raise
        refusals: DeniedRequestLog = request.app.state.refusals
        refusals.record(actor, problem.code, invited.id)
        faults["name"] = "fault_name_taken"
        return None
