"""Creates the first organisation, client and practitioner invitation on an empty database."""

import json
from pathlib import Path

from api.security.scopes import SCOPES
from api.settings import Settings
from api.store.accounts import clients, invitations, login_credentials, organisations, practitioners
from api.store.accounts.organisations import FIRST_ORGANISATION_NAME, OPERATOR_ACTOR, SYSTEM
from api.store.database import tenancy
from api.store.key_ring import replace_private_file
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.organisations.organisation import Practitioner

FIRST_PRACTITIONER_NAME = "Practitioner"


def create_first_client(store: Store, file: Path, *, test: bool = False) -> dict[str, str] | None:
    """Create the first organisation and client; return None if an organisation exists.

    The returned credentials are also written to the file, readable by its owner only.
    Organisation, client and file are created together or not at all. Raises OSError if the file
    cannot be written.
    """
    with store.read_all_organisations() as session:
        if organisations.list_organisations(session):
            return None
    with store.write_all_organisations() as session:
        tenancy.lock_organisation(session, SYSTEM)
        if organisations.list_organisations(session):  # another process was faster
            return None
        organisation = organisations.add_organisation_in(
            store, session, FIRST_ORGANISATION_NAME, test=test
        )
        operator = OPERATOR_ACTOR._replace(organisation=organisation.id)
        work = store.join_transaction(session, operator)
        client = clients.add_client(work, "first client", SCOPES)
        _, secret = clients.add_secret(work, client.id)
        work.audit("administer", "client", client.id)
        credentials = {
            "organisation": organisation.id,
            "client_id": client.id,
            "client_secret": secret,
        }
        replace_private_file(file, json.dumps(credentials, indent=2))
    return credentials


def create_first_invitation(store: Store, settings: Settings) -> str | None:
    """Return the URL at which the first practitioner sets up a login, or None if one can."""
    with store.read_all_organisations() as session:
        existing = organisations.list_organisations(session)
        if len(existing) != 1 or login_credentials.has_any_login(session):
            return None
    with store.transaction(OPERATOR_ACTOR._replace(organisation=existing[0].id)) as work:
        existing_rows = practitioners.list_practitioners(work)
        eligible = [row for row in existing_rows if row.active and row.scopes]
        practitioner = eligible[0] if eligible else _add_practitioner(work)
        invitation, secret = invitations.add_invitation(work, practitioner.id)
        work.audit("administer", "invitation", invitation.id)
    return f"{settings.public_url}/invitation/{secret}"


def _add_practitioner(work: Transaction) -> Practitioner:
    practitioner = practitioners.add_practitioner(work, "first", FIRST_PRACTITIONER_NAME, SCOPES)
    work.audit("administer", "practitioner", practitioner.id)
    return practitioner


def read_first_client_id(file: Path) -> str | None:
    """Return the client id in the first client's file; None if the file or the id is missing."""
    if not file.is_file():
        return None
    credentials = json.loads(file.read_text(encoding="ascii"))
    if not isinstance(credentials, dict) or "client_id" not in credentials:
        return None
    return str(credentials["client_id"])
