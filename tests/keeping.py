"""Builders of what is kept: settings for either database, clinics, requests to keep."""

import json
from pathlib import Path
from typing import NamedTuple

from api.security.scopes import SCOPES
from api.settings import Settings
from api.store import clients, organisations
from api.store.key_ring import make_file
from api.store.organisations import OPERATOR
from api.store.store import Store
from api.store.transaction import Actor

EXAMPLES = Path(__file__).parents[1] / "api" / "examples"


class Clinic(NamedTuple):
    """An organisation with one client."""

    organisation: str
    client: str
    secret: str

    @property
    def actor(self) -> Actor:
        return Actor(self.organisation, self.client, "token", "POST /v1/screenings", "r" * 32)


def kept_in(folder: Path, url: str | None = None, **more: object) -> Settings:
    """Settings of a store of its own: in this folder, or at this address."""
    ring = folder / "key-ring"
    if url and not ring.exists():
        make_file(ring)
    return Settings(
        database_file=folder / "nociscreen.db", key_ring_file=ring, database_url=url, **more
    )


def clinic(store: Store, name: str = "Clinic", scopes=SCOPES, *, test: bool = False) -> Clinic:
    """A new organisation with a client that may do this."""
    made = organisations.add(store, name, test=test)
    with store.transaction(OPERATOR._replace(organisation=made.id)) as work:
        client = clients.add(work, "client", scopes)
        _, secret = clients.add_secret(work, client.id)
        work.audit("administer", "client", client.id)
    return Clinic(made.id, client.id, secret)


def token(store: Store, tokens, clinic: Clinic, scopes=SCOPES) -> str:
    """An access token of the clinic's client."""
    return tokens.sign(
        store.signing.current(),
        client=clinic.client,
        organisation=clinic.organisation,
        scopes=scopes,
        life_seconds=900,
    )


def request(reference: str = "MRN-0042", example: str = "widespread_pain", **patient: str) -> dict:
    """A body for `POST /v1/screenings`."""
    body = json.loads((EXAMPLES / f"{example}.json").read_text())
    body["patient"] = {"reference": reference, **patient}
    return body
