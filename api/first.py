"""The first organisation and client, made where there is none: so that a newcomer can begin."""

import json
import os
from pathlib import Path

from api.security.scopes import SCOPES
from api.store import clients, organisations
from api.store.organisations import OPERATOR
from api.store.store import Store

NAME = "First organisation"


def first_client(store: Store, file: Path, *, test: bool = False) -> dict[str, str] | None:
    """The client with its secret, also written to the file, for its owner only; None if not first.

    Raises OSError where the file cannot be made.
    """
    with store.glance() as session:
        if organisations.every(session):
            return None
    organisation = organisations.add(store, NAME, test=test)
    with store.transaction(OPERATOR._replace(organisation=organisation.id)) as work:
        client = clients.add(work, "first client", SCOPES)
        _, secret = clients.add_secret(work, client.id)
        work.audit("administer", "client", client.id)
    made = {
        "organisation": organisation.id,
        "client_id": client.id,
        "client_secret": secret,
    }
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="ascii") as out:
        json.dump(made, out, indent=2)
    return made


def the_first(file: Path) -> str | None:
    """The id of the first client, as its file tells it."""
    if not file.is_file():
        return None
    told = json.loads(file.read_text(encoding="ascii"))
    return str(told["client_id"]) if isinstance(told, dict) and "client_id" in told else None
