"""Practitioners who can sign in, and browsers in which they do."""

import re
from typing import Any, NamedTuple
from uuid import uuid4

import pyotp
from argon2 import PasswordHasher
from starlette.testclient import TestClient
from support.builders import Clinic, do

from api.main import Service
from api.security.totp import generate_totp_secret
from api.store.accounts import login_credentials, practitioners
from api.store.accounts.login_credentials import NewCredentials
from api.store.store import Store

PASSWORD = "harbour lantern under snow"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""Made with the least effort, as verifying it takes as much; what the service makes takes more."""


class PractitionerLogin(NamedTuple):
    """A practitioner who can sign in."""

    id: str
    name: str
    totp: str
    codes: tuple[str, ...]

    @property
    def code(self) -> str:
        """The code that the authenticator app shows now."""
        return pyotp.TOTP(self.totp).now()


def add_practitioner_login(
    store: Store, clinic: Clinic, scopes=practitioners.DEFAULT_PRACTITIONER_SCOPES
) -> PractitionerLogin:
    """Add a practitioner with password, authenticator app and recovery codes."""
    name = f"{uuid4()}@example.org"
    practitioner = do(
        store, clinic, practitioners.add_practitioner, f"ref of {name}", "Dr Grace Example", scopes
    )
    totp = generate_totp_secret()
    codes = do(
        store,
        clinic,
        login_credentials.set_credentials,
        practitioner.id,
        NewCredentials(name, HASH, totp, 0),
    )
    return PractitionerLogin(practitioner.id, name, totp, codes)


def open_browser(service: Service, peer: str = "192.0.2.1") -> TestClient:
    """Return a browser without a session."""
    return TestClient(service, raise_server_exceptions=False, client=(peer, 50000),
                      follow_redirects=False)  # fmt: skip


def open_signed_in_browser(service: Service, login: PractitionerLogin) -> TestClient:
    """Return a browser in which this practitioner is signed in."""
    client = open_browser(service)
    answer = submit_login(client, login)
    assert answer.status_code == 303, answer.text
    return client


def read_csrf_token(text: str) -> str:
    """Return the CSRF token of the first form on a page."""
    return re.search(r'name="token" value="([0-9a-f]+)"', text)[1]


def submit_login(client: Any, login: PractitionerLogin, **changes: str) -> Any:
    """Submit the login form; return the response, or the page that names its fault."""
    fields = {"name": login.name, "password": PASSWORD, "code": login.code} | changes
    token = read_csrf_token(client.get("/sign-in").text)
    response = client.post("/sign-in", data={"token": token} | fields)
    is_faulty = response.headers.get("location", "").endswith("?faulty")
    return follow_to_faults(client, response) if is_faulty else response


def submit_form(client: Any, page: str, path: str, **fields: str) -> Any:
    """Submit a form with the token of `page` to `path`; return the response.

    Of a search, or a form that cannot be saved, it is the page to which the response leads.
    """
    response = client.post(path, data={"token": read_csrf_token(client.get(page).text)} | fields)
    return follow_to_faults(client, response)


def follow_to_faults(client: Any, response: Any) -> Any:
    """Return the page to which a search, or a form with faults, leads; else the response itself."""
    location = response.headers.get("location", "")
    is_followed = re.search(r"\bkept=|/found\?|\?faulty$", location)
    return client.get(location) if is_followed else response
