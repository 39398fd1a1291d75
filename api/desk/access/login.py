"""Authenticate practitioners by name, password and second factor, and start their sessions.

An attempt is counted before it is checked; see `api.store.accounts.login_attempts`. The response
does not tell what was wrong, and neither does its cost: an unknown name, a wrong password and a
wrong code take the same time and write the same audit row.
"""

import hmac
import secrets

from fastapi import Request
from starlette.responses import Response

from api.auth.admission import FAILED_LOGINS, check_network, count_for_network
from api.auth.route_guard import build_anonymous_actor
from api.auth.services import find_services
from api.desk import kept_forms
from api.desk.access.session_guard import (
    YEAR_SECONDS,
    PractitionerPage,
    build_session_actor,
    read_session_lifetimes,
)
from api.http.errors.error_conversion import convert_error
from api.http.rate_limit import read_network_key
from api.security.passwords import verify_password
from api.store.accounts import kept_forms as stored_forms
from api.store.accounts import login_attempts, login_credentials, sessions
from api.store.accounts.login_attempts import AttemptCounter
from api.store.accounts.login_credentials import StoredLogin
from api.store.accounts.organisations import SYSTEM
from api.store.errors import StoreError
from api.store.transaction import Actor, Transaction
from api.web import cookies

FREE_ATTEMPTS = 5
FREE_ATTEMPTS_ANYWHERE = 50
_FAILED_OUTCOME = "bad_sign_in"
_UNKNOWN_NAME = StoredLogin(SYSTEM, "", None)
_PURPOSE = b"signing in"


def authenticate(request: Request, name: str, password: str, code: str) -> tuple[Actor, str] | None:
    """Return the practitioner and a session secret, or None.

    The failures of a network hold up its next attempts, but not those of a device that the
    practitioner used before. Raises TooManyAttemptsError, or Problem `too_many`.
    """
    store = find_services(request).store
    is_known_device = _is_known_device(request, name)
    if not is_known_device:
        check_network(request, FAILED_LOGINS)
    counters = _build_counters(request, name, is_known_device=is_known_device)
    _count_attempt(request, counters, build_anonymous_actor(request))
    credentials = login_credentials.look_up_login(store, name) or _UNKNOWN_NAME
    is_right = verify_password(password, credentials.password_hash)
    session = _check_second_factor(request, credentials, code if is_right else "")
    if session is not None:
        login_attempts.clear_attempt(store, counters)
    elif not is_known_device:
        count_for_network(request, FAILED_LOGINS)
    return session


def verify_own_login(desk: PractitionerPage, password: str, code: str | None = None) -> bool:
    """Return whether the practitioner proves their identity; if so, renew the session's cookie.

    Without a code the password alone is the proof. Raises TooManyAttemptsError.
    """
    practitioner = desk.signed_in.practitioner.id
    counters = [AttemptCounter(_compute_hash(desk.request, f"own|{practitioner}"), FREE_ATTEMPTS)]
    _count_attempt(desk.request, counters, desk.actor)
    password_hash = login_credentials.read_password_hash(
        desk.store, desk.signed_in.organisation, practitioner
    )
    is_right = verify_password(password, password_hash)
    if is_right and code is not None:
        is_right = _use_own_code(desk, code)
    if is_right:
        login_attempts.clear_attempt(desk.store, counters)
        with desk.context.transaction() as work:
            desk.request.state.renewed_session = sessions.renew_secret(work, desk.signed_in.session)
            work.audit("sign_in", "practitioner", practitioner, outcome="renewed")
    return is_right


def start_session(request: Request, work: Transaction, practitioner: str) -> str:
    """Start a session that replaces this browser's previous one; return its secret."""
    sessions.end_session_by_secret(work, cookies.read_cookie(request, cookies.SESSION))
    secret = sessions.begin_session(
        work, practitioner, read_session_lifetimes(find_services(request).settings)
    )
    work.audit("sign_in", "practitioner", practitioner)
    return secret


def find_first_page(request: Request, session: str) -> str:
    """Return the page after login: of a launch, or of a form sent after a session ended."""
    if cookies.read_cookie(request, cookies.LAUNCH):
        return "/desk/launch"
    store = find_services(request).store
    lifetimes = read_session_lifetimes(find_services(request).settings)
    signed_in = sessions.look_up_session(store, session, lifetimes)
    if signed_in is None or not stored_forms.has_kept_forms(store, signed_in):
        return "/desk"
    practitioner = signed_in.practitioner.id
    with store.transaction(
        build_session_actor(request, signed_in.organisation, practitioner)
    ) as work:
        kept_form = stored_forms.take_form_after_session(work, practitioner)
        work.audit("read", "kept_form", kept_form.id if kept_form else "")
    return kept_forms.build_kept_url(kept_form.page, kept_form.id) if kept_form else "/desk"


def set_session_cookies(
    request: Request, response: Response, secret: str, name: str | None = None
) -> None:
    """Set the session cookie and, for a login by name, the cookie of a known device."""
    cookies.set_cookie(request, response, cookies.SESSION, secret)
    if name is not None:
        nonce = secrets.token_hex(16)
        device = f"{nonce}.{_compute_device_proof(request, name, nonce)}"
        cookies.set_cookie(request, response, cookies.DEVICE, device, YEAR_SECONDS)


def _count_attempt(request: Request, counters: list[AttemptCounter], actor: Actor) -> None:
    """Count an attempt before it is checked. Raises TooManyAttemptsError, recorded."""
    try:
        login_attempts.record_attempt(find_services(request).store, counters)
    except StoreError as error:
        find_services(request).denied_requests.record(actor, convert_error(error).code)
        raise


def _check_second_factor(
    request: Request, credentials: StoredLogin, code: str
) -> tuple[Actor, str] | None:
    """Start a session if the code is right; every outcome makes the same database queries."""
    store = find_services(request).store
    actor = build_anonymous_actor(request)._replace(organisation=credentials.organisation)
    if code:
        actor = actor._replace(id=credentials.practitioner, means="session")
    with store.transaction(actor) as work:
        if login_credentials.use_second_factor(work, credentials.practitioner, code):
            return actor, start_session(request, work, credentials.practitioner)
        work.audit("refuse", "practitioner", credentials.practitioner, outcome=_FAILED_OUTCOME)
    return None


def _use_own_code(desk: PractitionerPage, code: str) -> bool:
    practitioner = desk.signed_in.practitioner.id
    with desk.context.transaction() as work:
        is_right = login_credentials.use_second_factor(work, practitioner, code)
        if is_right:
            work.audit("sign_in", "practitioner", practitioner)
        else:
            work.audit("refuse", "practitioner", practitioner, outcome=_FAILED_OUTCOME)
    return is_right


def _build_counters(request: Request, name: str, *, is_known_device: bool) -> list[AttemptCounter]:
    """Return the counters of an attempt: the known device's, else the network's and the name's."""
    name_hash = login_credentials.hash_login_name(name)
    if is_known_device:
        nonce, _, _ = cookies.read_cookie(request, cookies.DEVICE).partition(".")
        device_hash = _compute_hash(request, f"device|{name_hash}|{nonce}")
        return [AttemptCounter(device_hash, FREE_ATTEMPTS)]
    network = read_network_key(request)
    return [
        AttemptCounter(_compute_hash(request, f"address|{name_hash}|{network}"), FREE_ATTEMPTS),
        AttemptCounter(
            _compute_hash(request, f"name|{name_hash}"), FREE_ATTEMPTS_ANYWHERE, is_shared=True
        ),
    ]


def _is_known_device(request: Request, name: str) -> bool:
    """Return whether this browser has the proof that the name was used in it before."""
    nonce, _, proof = cookies.read_cookie(request, cookies.DEVICE).partition(".")
    known_proof = _compute_device_proof(request, name, nonce)
    return bool(nonce) and hmac.compare_digest(known_proof.encode(), proof.encode())


def _compute_device_proof(request: Request, name: str, nonce: str) -> str:
    return _compute_hash(request, f"known|{login_credentials.hash_login_name(name)}|{nonce}")


def _compute_hash(request: Request, text: str) -> str:
    store = find_services(request).store
    return hmac.digest(store.key_ring.derive_keys(_PURPOSE)[0], text.encode(), "sha256").hex()
