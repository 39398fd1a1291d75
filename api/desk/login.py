"""Proving: a name, a password and a code in; whoever that is, or nobody, out.

A try is counted before it is looked at; see `api.store.accounts.login_attempts`. What was
wrong is not told, and cannot be told from what it costs: a name that nobody has, a password or a
code that is wrong make the same work, down to the row of audit that each leaves.
"""

import hmac
import ipaddress
import secrets
from typing import NamedTuple

from fastapi import Request
from starlette.responses import Response

from api.auth.route_guard import stranger
from api.dependencies import peer_of
from api.desk import cookies
from api.desk.session_guard import YEAR_SECONDS, Desk, lasting
from api.http.rate_limit import RateLimiter
from api.problems import Problem
from api.security.passwords import is_password
from api.store.accounts import login_attempts, login_credentials, sessions
from api.store.accounts.login_attempts import Trying
from api.store.accounts.login_credentials import Proof
from api.store.accounts.organisations import SYSTEM
from api.store.operations.denied_requests import Refusals
from api.store.store import Store
from api.store.transaction import Actor, Transaction

FREE = 5
FREE_FROM_ANYWHERE = 50
PER_MINUTE = 30
REFUSED = "bad_sign_in"
NOBODY = Proof(SYSTEM, "", None)
_PURPOSE = b"signing in"


class Given(NamedTuple):
    """What was written into the form."""

    name: str
    password: str
    code: str


def prove(request: Request, given: Given) -> tuple[Actor, str] | None:
    """Who it is, and what their browser holds the new session by; None where it is wrong.

    Raises Problem `too_many` where one must wait.
    """
    store: Store = request.app.state.store
    limiter: RateLimiter = request.app.state.limiter
    limiter.take(f"sign-in {peer_of(request)}", PER_MINUTE)
    ways = _ways(request, given.name)
    _count(request, ways, stranger(request))
    proof = login_credentials.named(store, given.name) or NOBODY
    right = is_password(given.password, proof.password_hash)
    begun = _begun(request, proof, given.code if right else "")
    if begun is not None:
        login_attempts.give_back(store, ways)
    return begun


def is_own(desk: Desk, password: str) -> bool:
    """Whether it is the password of whoever sits at this desk; tries count as in signing in.

    Raises Problem `too_many` where one must wait.
    """
    who = desk.signed_in.practitioner.id
    ways = [Trying(_hash(desk.request, f"own|{who}"), FREE)]
    _count(desk.request, ways, desk.actor)
    kept = login_credentials.password_hash(desk.store, desk.signed_in.organisation, who)
    right = is_password(password, kept)
    if right:
        login_attempts.give_back(desk.store, ways)
    return right


def begin(request: Request, work: Transaction, practitioner: str) -> str:
    """A new session in this browser, in the place of the one before it."""
    sessions.end_held(work, cookies.given(request, cookies.SESSION))
    secret = sessions.begin(work, practitioner, lasting(request.app.state.settings))
    work.audit("sign_in", "practitioner", practitioner)
    return secret


def let_in(request: Request, response: Response, secret: str, name: str | None = None) -> None:
    """Have the browser hold the session, and know the device again by which it was begun."""
    cookies.give(request, response, cookies.SESSION, secret)
    if name is not None:
        nonce = secrets.token_hex(16)
        device = f"{nonce}.{_device(request, name, nonce)}"
        cookies.give(request, response, cookies.DEVICE, device, YEAR_SECONDS)


def _count(request: Request, ways: list[Trying], actor: Actor) -> None:
    """Count a try before it is looked at. Raises Problem `too_many`, recorded."""
    try:
        login_attempts.take(request.app.state.store, ways)
    except Problem as problem:
        refusals: Refusals = request.app.state.refusals
        refusals.record(actor, problem.code)
        raise


def _begun(request: Request, proof: Proof, code: str) -> tuple[Actor, str] | None:
    """The session of a practitioner once the code is right too; a wrong password comes without.

    The same is asked of the database, and as much written, whoever it is and whatever was wrong.
    """
    store: Store = request.app.state.store
    own = stranger(request)._replace(organisation=proof.organisation)
    if code:
        own = own._replace(id=proof.practitioner, means="session")
    with store.transaction(own) as work:
        if login_credentials.is_second_factor(work, proof.practitioner, code):
            return own, begin(request, work, proof.practitioner)
        work.audit("refuse", "practitioner", proof.practitioner, outcome=REFUSED)
    return None


def _ways(request: Request, name: str) -> list[Trying]:
    """The ways in which this is a try: on a device known for the name, else from its address."""
    named = login_credentials.name_hash(name)
    nonce, _, proof = cookies.given(request, cookies.DEVICE).partition(".")
    if nonce and hmac.compare_digest(_device(request, name, nonce).encode(), proof.encode()):
        return [Trying(_hash(request, f"device|{named}|{nonce}"), FREE)]
    return [
        Trying(_hash(request, f"address|{named}|{_network(peer_of(request))}"), FREE),
        Trying(_hash(request, f"name|{named}"), FREE_FROM_ANYWHERE, shared=True),
    ]


def _network(peer: str) -> str:
    """The address; of one in IPv6 the part that one household has."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    return peer if address.version == 4 else str(ipaddress.ip_network(f"{peer}/64", strict=False))


def _device(request: Request, name: str, nonce: str) -> str:
    return _hash(request, f"known|{login_credentials.name_hash(name)}|{nonce}")


def _hash(request: Request, text: str) -> str:
    store: Store = request.app.state.store
    return hmac.digest(store.ring.derived(_PURPOSE)[0], text.encode(), "sha256").hex()
