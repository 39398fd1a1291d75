"""Open and accept an invitation: store the chosen login credentials and start a session."""

from collections.abc import Iterable
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Request

from api.auth.admission import WRONG_INVITATIONS, count_for_network
from api.auth.route_guard import build_anonymous_actor
from api.auth.services import find_services
from api.desk.access.login import start_session
from api.desk.access.session_guard import build_session_actor
from api.http.errors.error_conversion import convert_error
from api.security.passwords import WeakPasswordError, check_password_strength, hash_password
from api.security.totp import find_matching_step
from api.store.accounts import invitations, letterheads, login_credentials, sessions
from api.store.accounts.invitations import OpenInvitation
from api.store.accounts.login_credentials import NewCredentials
from api.store.errors import ConflictError, NotFoundError
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.organisations.organisation import Practitioner

MIN_NAME_LENGTH, MAX_NAME_LENGTH = 3, 100
InvitationSecret = Annotated[str, Path(max_length=100)]


class InvitationForm(NamedTuple):
    """The fields of the invitation page."""

    name: str
    password: str
    password_repeat: str
    code: str


def open_invitation(request: Request, secret: InvitationSecret) -> OpenInvitation:
    """Return the invitation; wrong secrets are recorded and limited. Raises NotFoundError."""
    services = find_services(request)
    invited = invitations.look_up_open_invitation(services.store, secret)
    if invited is None:
        count_for_network(request, WRONG_INVITATIONS)
        services.denied_requests.record(build_anonymous_actor(request), "not_found")
        raise NotFoundError
    return invited


InvitationDep = Annotated[OpenInvitation, Depends(open_invitation)]


def find_form_faults(store: Store, form: InvitationForm, invited: OpenInvitation) -> dict[str, str]:
    """Return the faults of name and password: a phrase by field name."""
    faults = {}
    name = form.name.strip()
    if not MIN_NAME_LENGTH <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        faults["name"] = "fault_name"
    personal_texts = (name, *list_personal_texts(store, invited.organisation, invited.practitioner))
    return faults | find_password_faults(form.password, form.password_repeat, personal_texts)


def list_personal_texts(
    store: Store, organisation: str, practitioner: Practitioner
) -> tuple[str, ...]:
    """Return the names and addresses that must not make a password of this practitioner."""
    with store.read_all_organisations() as session:
        letterhead = letterheads.find_letterhead(session, organisation)
    texts = practitioner.name, practitioner.reference, letterhead.name, *letterhead.address
    return tuple(filter(None, texts))


def find_password_faults(
    password: str, password_repeat: str, personal_texts: Iterable[str]
) -> dict[str, str]:
    """Return the faults of a new password, which the personal texts must not reveal."""
    faults = {}
    try:
        check_password_strength(password, personal_texts)
    except WeakPasswordError as error:
        faults["password"] = str(error)
    if password != password_repeat:
        faults |= {"password_repeat": "fault_password_repeat"}  # nosec B105 - a name of a text
    return faults


def accept_invitation(
    request: Request, invited: OpenInvitation, form: InvitationForm, faults: dict[str, str]
) -> tuple[tuple[str, ...], str] | None:
    """Store the credentials; return recovery codes and session secret, or None after faults."""
    password_hash = hash_password(form.password)
    practitioner = invited.practitioner.id
    actor = build_session_actor(request, invited.organisation, practitioner)
    try:
        with find_services(request).store.transaction(actor) as work:
            totp = invitations.read_totp_secret(work, invited.id)
            step = find_matching_step(totp, form.code)
            if step is None:
                faults["code"] = "fault_code"
                work.audit("refuse", "invitation", invited.id, outcome="bad_sign_in")
                return None
            _use_invitation(work, invited)
            credentials = NewCredentials(form.name, password_hash, totp, step)
            codes = login_credentials.set_credentials(work, practitioner, credentials)
            return codes, start_session(request, work, practitioner)
    except ConflictError as error:
        code = convert_error(error).code
        find_services(request).denied_requests.record(actor, code, invited.id)
        faults["name"] = "fault_name_taken"
        return None


def accept_with_identity(request: Request, secret: str, subject: str) -> str | None:
    """Link the subject and return the session secret, or None if either is not acceptable."""
    store, issuer = find_services(request).store, find_services(request).settings.oidc_issuer
    invited = invitations.look_up_open_invitation(store, secret)
    if invited is None:
        return None
    practitioner = invited.practitioner.id
    try:
        actor = build_session_actor(request, invited.organisation, practitioner)
        with store.transaction(actor) as work:
            _use_invitation(work, invited)
            login_credentials.set_identity(work, practitioner, issuer, subject)
            return start_session(request, work, practitioner)
    except (ConflictError, NotFoundError):
        return None


def _use_invitation(work: Transaction, invited: OpenInvitation) -> None:
    invitations.consume_invitation(work, invited.id)
    sessions.end_practitioner_sessions(work, invited.practitioner.id)
    work.audit("administer", "sign_in", invited.practitioner.id)
