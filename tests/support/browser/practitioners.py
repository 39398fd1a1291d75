"""Practitioners at their desk: invited, signed in, with something to look at."""

import re
from typing import Any, NamedTuple
from uuid import uuid4

import pyotp
from starlette.testclient import TestClient
from support.builders import Clinic, do

from api.main import Service
from api.security.passwords import hash_password
from api.security.totp import generate_totp_secret
from api.store.accounts import login_credentials, practitioners
from api.store.accounts.login_credentials import NewCredentials
from api.store.store import Store

PASSWORD = "harbour lantern under snow"
HASH = hash_password(PASSWORD)


class Person(NamedTuple):
    """A practitioner who can sign in."""

    id: str
    name: str
    totp: str
    codes: tuple[str, ...]

    @property
    def code(self) -> str:
        """What the app shows now."""
        return pyotp.TOTP(self.totp).now()


def person(
    store: Store, clinic: Clinic, scopes=practitioners.DEFAULT_PRACTITIONER_SCOPES
) -> Person:
    """A practitioner of the clinic who chose what to sign in with."""
    name = f"{uuid4()}@example.org"
    made = do(
        store, clinic, practitioners.add_practitioner, f"ref of {name}", "Dr Grace Example", scopes
    )
    totp = generate_totp_secret()
    codes = do(
        store,
        clinic,
        login_credentials.set_credentials,
        made.id,
        NewCredentials(name, HASH, totp, 0),
    )
    return Person(made.id, name, totp, codes)


def visiting(service: Service, peer: str = "192.0.2.1") -> TestClient:
    """A browser that nobody is signed in by."""
    return TestClient(service, raise_server_exceptions=False, client=(peer, 50000),
                      follow_redirects=False)  # fmt: skip


def at_desk(service: Service, who: Person) -> TestClient:
    """A browser by which this practitioner is signed in."""
    client = visiting(service)
    answer = sign_in_by(client, who)
    assert answer.status_code == 303, answer.text
    return client


def token_in(text: str) -> str:
    """The token of the first form on a page."""
    return re.search(r'name="token" value="([0-9a-f]+)"', text)[1]


def sign_in_by(client: Any, who: Person, **given: str) -> Any:
    """The answer to signing in, over HTTP."""
    fields = {"name": who.name, "password": PASSWORD, "code": who.code} | given
    return send(client, "/sign-in", "/sign-in", **fields)


def send(client: Any, at: str, path: str, **fields: str) -> Any:
    """The answer to the form on the page `at`, sent to `path`."""
    return client.post(path, data={"token": token_in(client.get(at).text)} | fields)
