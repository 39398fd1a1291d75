"""Open and accept an invitation: store the chosen login credentials and start a session."""

from collections.abc import Iterable
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Request

from api.auth.route_guard import build_anonymous_actor
from api.auth.services import find_services
from api.desk.login import start_session
from api.desk.session_guard import build_session_actor
from api.http.error_conversion import convert_error
from api.http.rate_limit import read_network_key
from api.security.passwords import WeakPasswordError, check_password_strength, hash_password
from api.security.totp import find_matching_step
from api.store.accounts import invitations, login_credentials, sessions
from api.store.accounts.invitations import OpenInvitation
from api.store.accounts.login_credentials import NewCredentials
from api.store.errors import ConflictError, NotFoundError
from api.store.transaction import Transaction

MIN_NAME_LENGTH, MAX_NAME_LENGTH = 3, 100
WRONG_INVITATIONS_PER_MINUTE = 30
InvitationSecret = Annotated[str, Path(max_length=100)]


class InvitationForm(NamedTuple):
    """The fields of the invitation page."""

    name: str
    password: str
    password_repeat: str
    code: str


def open_invitation(request: Request, secret: InvitationSecret) -> OpenInvitation:
    """Return the invitation; wrong secrets are recorded and limited. Raises NotFoundError."""
    services, network = find_services(request), read_network_key(request)
    invited = invitations.look_up_open_invitation(services.store, secret)
    if invited is None:
        services.rate_limiter.take(f"wrong invitation {network}", WRONG_INVITATIONS_PER_MINUTE)
        services.denied_requests.record(build_anonymous_actor(request), "not_found")
        raise NotFoundError
    return invited


InvitationDep = Annotated[OpenInvitation, Depends(open_invitation)]


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
            login_credentials.delete_credentials(work, practitioner)
            login_credentials.link_identity(work, practitioner, issuer, subject)
            return start_session(request, work, practitioner)
    except (ConflictError, NotFoundError):
        return None


def _use_invitation(work: Transaction, invited: OpenInvitation) -> None:
    invitations.consume_invitation(work, invited.id)
    sessions.end_practitioner_sessions(work, invited.practitioner.id)
    work.audit("administer", "sign_in", invited.practitioner.id)
