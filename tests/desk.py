"""Practitioners at their desk: invited, signed in, with something to look at."""

import re
from typing import Any, NamedTuple

import pyotp
from keeping import Clinic, do

from api.security.passwords import hashed_password
from api.security.second_factor import new_totp
from api.store import practitioners, sign_in
from api.store.sign_in import Chosen
from api.store.store import Store

PASSWORD = "harbour lantern under snow"
HASH = hashed_password(PASSWORD)


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
    store: Store, clinic: Clinic, name: str = "grace@example.org", scopes=practitioners.AT_DESK
) -> Person:
    """A practitioner of the clinic who chose what to sign in with."""
    made = do(store, clinic, practitioners.add, f"ref of {name}", "Dr Grace Example", scopes)
    totp = new_totp()
    codes = do(store, clinic, sign_in.choose, made.id, Chosen(name, HASH, totp, 0))
    return Person(made.id, name, totp, codes)


def token_in(text: str) -> str:
    """The token of the first form on a page."""
    return re.search(r'name="token" value="([0-9a-f]+)"', text)[1]


def sign_in_by(client: Any, who: Person, **given: str) -> Any:
    """The answer to signing in, over HTTP."""
    token = token_in(client.get("/sign-in").text)
    fields = {"name": who.name, "password": PASSWORD, "code": who.code, "token": token} | given
    return client.post("/sign-in", data=fields, follow_redirects=False)
