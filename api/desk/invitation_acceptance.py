"""Accepting an invitation: what was chosen in, what is wrong with it out, or a session."""

from collections.abc import Iterable
from typing import NamedTuple

from fastapi import Request

from api.auth.route_guard import stranger
from api.desk.login import begin
from api.problems import Problem
from api.security.passwords import WeakPasswordError, check_strength, hashed_password
from api.security.totp import step_of
from api.store.accounts import invitations, login_credentials, sessions
from api.store.accounts.invitations import Invited
from api.store.accounts.login_credentials import Chosen
from api.store.operations.denied_requests import Refusals
from api.store.store import Store

SHORTEST_NAME, LONGEST_NAME = 3, 100


class Wanted(NamedTuple):
    """What the invited wrote."""

    name: str
    password: str
    again: str
    code: str


def faults_of(wanted: Wanted, invited: Invited) -> dict[str, str]:
    """What is to be put right: the name of a phrase for the name of a field."""
    faults = {}
    name = wanted.name.strip()
    if not SHORTEST_NAME <= len(name) <= LONGEST_NAME or not name.isprintable():
        faults["name"] = "fault_name"
    who = invited.practitioner
    about = (name, who.name, who.reference, invited.organisation_name)
    return faults | password_faults(wanted.password, wanted.again, about)


def password_faults(password: str, again: str, about: Iterable[str]) -> dict[str, str]:
    """The same of a new password, which must not be guessed from these words."""
    faults = {}
    known = list(about)
    words = [word for text in known for word in text.split()]
    try:
        check_strength(password, (*known, *words))
    except WeakPasswordError as weak:
        faults["password"] = str(weak)
    if password != again:
        faults["again"] = "fault_again"
    return faults


def accept(
    request: Request, invited: Invited, wanted: Wanted, faults: dict[str, str]
) -> tuple[tuple[str, ...], str] | None:
    """The recovery codes and what the browser holds the session by; None, with faults, if not."""
    store: Store = request.app.state.store
    password_hash = hashed_password(wanted.password)
    practitioner = invited.practitioner.id
    actor = stranger(request)._replace(
        organisation=invited.organisation, id=practitioner, means="session"
    )
    try:
        with store.transaction(actor) as work:
            totp = invitations.totp_of(work, invited.id)
            step = step_of(totp, wanted.code)
            if step is None:
                faults["code"] = "fault_code"
                work.audit("refuse", "invitation", invited.id, outcome="bad_sign_in")
                return None
            invitations.use_up(work, invited.id)
            sessions.end_all(work, practitioner)
            chosen = Chosen(wanted.name, password_hash, totp, step)
            codes = login_credentials.choose(work, practitioner, chosen)
            work.audit("administer", "sign_in", practitioner)
            return codes, begin(request, work, practitioner)
    except Problem as problem:
        if problem.code != "conflict":
            raise
        refusals: Refusals = request.app.state.refusals
        refusals.record(actor, problem.code, invited.id)
        faults["name"] = "fault_name_taken"
        return None
