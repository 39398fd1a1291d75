"""`nociscreen admin client`: manage clients with their secrets, public keys and API keys."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import (
    Active,
    OrganisationId,
    collect_changes,
    open_transaction,
    print_json,
    refuse_invalid_input,
)

commands = typer.Typer(no_args_is_help=True, help="Programs that call the API.")
ClientId = Annotated[str, typer.Argument(help="The id of the client.")]
Scope = Annotated[list[str], typer.Option("--scope", help="A scope; repeat the option for more.")]


@commands.command("add")
def add_client(
    name: str,
    organisation: OrganisationId,
    scope: Scope,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Rate limit of the client.")
    ] = None,
    *,
    secret: Annotated[bool, typer.Option("--secret/--no-secret", help="Create a secret.")] = True,
) -> None:
    """Create a client and print its secret. The secret is shown only once."""
    from api.store.accounts import clients

    with open_transaction(organisation) as work, refuse_invalid_input():
        client = clients.add_client(work, name, scope, requests_per_minute)
        text = clients.add_secret(work, client.id)[1] if secret else None
        work.audit("administer", "client", client.id)
        summary = {"organisation": organisation, "client_id": client.id, "scopes": client.scopes}
        print_json(summary | ({"client_secret": text} if text else {}))


@commands.command("list")
def list_clients(organisation: OrganisationId) -> None:
    """List the clients of an organisation with their active secrets and keys."""
    from api.store.accounts import clients

    with open_transaction(organisation) as work:
        print_json(clients.list_clients(work))
        work.audit("list", "client")


@commands.command("change")
def change_client(
    client: ClientId,
    organisation: OrganisationId,
    name: Annotated[str | None, typer.Option(help="The new name.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="The client's scopes; replaces the current ones."),
    ] = None,
    *,
    active: Active = None,
) -> None:
    """Change a client; applies to issued tokens too. Omitted options keep their value."""
    from api.store.accounts import clients

    changes = collect_changes(name=name, scopes=scope or None, active=active)
    with open_transaction(organisation) as work, refuse_invalid_input():
        updated = clients.update_client(work, client, changes)
        work.audit("administer", "client", client)
        print_json(updated)


@commands.command("secret")
def add_secret(client: ClientId, organisation: OrganisationId) -> None:
    """Add a second secret for rotation. It is shown only once."""
    from api.store.accounts import clients

    with open_transaction(organisation) as work:
        credential, text = clients.add_secret(work, client)
        work.audit("administer", "secret", credential.id)
        print_json({"id": credential.id, "client_secret": text})


@commands.command("revoke-secret")
def revoke_secret(
    client: ClientId,
    secret: Annotated[str, typer.Argument(help="The id of the secret.")],
    organisation: OrganisationId,
) -> None:
    """Revoke a secret."""
    from api.store.accounts import clients

    with open_transaction(organisation) as work:
        clients.revoke_secret(work, client, secret)
        work.audit("administer", "secret", secret)


@commands.command("key")
def add_key(
    client: ClientId,
    jwk: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A public JWK.")],
    organisation: OrganisationId,
) -> None:
    """Register a public key for `private_key_jwt`."""
    from api.store.accounts import clients

    with open_transaction(organisation) as work, refuse_invalid_input():
        registered = clients.add_client_key(work, client, json.loads(jwk.read_bytes()))
        work.audit("administer", "public_key", client)
        print_json(registered)


@commands.command("api-key")
def add_api_key(
    client: ClientId,
    organisation: OrganisationId,
    scope: Scope,
    days: Annotated[int, typer.Option(min=1, max=3660, help="Validity in days.")] = 365,
) -> None:
    """Create an API key, to send as `X-API-Key`. It is shown only once."""
    from api.store.accounts import clients, organisations

    with open_transaction(organisation) as work, refuse_invalid_input():
        until = work.now + timedelta(days=days)
        test = organisations.find_own_organisation(work).test
        credential, text = clients.add_api_key(work, client, scope, until, test=test)
        work.audit("administer", "api_key", credential.id)
        print_json(credential.model_dump(mode="json") | {"api_key": text})


@commands.command("revoke-api-key")
def revoke_api_key(
    client: ClientId,
    key: Annotated[str, typer.Argument(help="The id of the API key.")],
    organisation: OrganisationId,
) -> None:
    """Revoke an API key."""
    from api.store.accounts import clients

    with open_transaction(organisation) as work:
        clients.revoke_api_key(work, client, key)
        work.audit("administer", "api_key", key)
