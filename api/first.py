"""The first organisation and client, made where there is none: so that a newcomer can begin."""

import json
from pathlib import Path

from api.security.scopes import SCOPES
from api.store import clients, organisations, tenancy
from api.store.key_ring import write_over
from api.store.organisations import OPERATOR, SYSTEM
from api.store.store import Store

NAME = "First organisation"


def first_client(store: Store, file: Path, *, test: bool = False) -> dict[str, str] | None:
    """The client with its secret, also written to the file, for its owner only; None if not first.

    Organisation, client and file are there together or not at all. Raises OSError where the file
    cannot be made.
    """
    with store.glance() as session:
        if organisations.every(session):
            return None
    with store.across() as session:
        tenancy.alone(session, SYSTEM)
        if organisations.every(session):  # another was faster
            return None
        organisation = organisations.begin(store, session, NAME, test=test)
        work = store.within(session, OPERATOR._replace(organisation=organisation.id))
        client = clients.add(work, "first client", SCOPES)
        _, secret = clients.add_secret(work, client.id)
        work.audit("administer", "client", client.id)
        made = {
            "organisation": organisation.id,
            "client_id": client.id,
            "client_secret": secret,
        }
        write_over(file, json.dumps(made, indent=2))
    return made


def the_first(file: Path) -> str | None:
    """The id of the first client, as its file tells it."""
    if not file.is_file():
        return None
    told = json.loads(file.read_text(encoding="ascii"))
    return str(told["client_id"]) if isinstance(told, dict) and "client_id" in told else None
