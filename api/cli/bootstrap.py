"""The first organisation and client, made where there is none: so that a newcomer can begin."""

import json
from pathlib import Path

from api.security.scopes import SCOPES
from api.settings import Settings
from api.store.accounts import clients, invitations, login_credentials, organisations, practitioners
from api.store.accounts.organisations import OPERATOR, SYSTEM
from api.store.database import tenancy
from api.store.key_ring import write_over
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.organisation import Practitioner

NAME = "First organisation"
PRACTITIONER = "First practitioner"


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


def first_invitation(store: Store, settings: Settings) -> str | None:
    """The address at which the first practitioner chooses what to sign in with, good for once.

    None where somebody signs in already, or it is not told for which organisation it would be.
    """
    with store.glance() as session:
        every = organisations.every(session)
        if len(every) != 1 or login_credentials.anybody(session):
            return None
    with store.transaction(OPERATOR._replace(organisation=every[0].id)) as work:
        known = [each for each in practitioners.every(work) if each.active and each.scopes]
        named = known[0] if known else _practitioner(work)
        made, secret = invitations.make(work, named.id)
        work.audit("administer", "invitation", made.id)
    return f"{settings.public_url}/invitation/{secret}"


def _practitioner(work: Transaction) -> Practitioner:
    made = practitioners.add(work, "first", PRACTITIONER, (*practitioners.AT_DESK, "admin"))
    work.audit("administer", "practitioner", made.id)
    return made


def the_first(file: Path) -> str | None:
    """The id of the first client, as its file tells it."""
    if not file.is_file():
        return None
    told = json.loads(file.read_text(encoding="ascii"))
    return str(told["client_id"]) if isinstance(told, dict) and "client_id" in told else None
