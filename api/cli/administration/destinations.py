"""`nociscreen admin destination | allowed-host`: manage destinations and the host allowlist."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.context import (
    Active,
    OrganisationId,
    collect_changes,
    fail,
    open_transaction,
    print_json,
)

if TYPE_CHECKING:
    from api.outbound.allowlist import HostPort
    from api.store.transaction import Transaction

commands = typer.Typer(no_args_is_help=True, help="Receivers of deliveries.")
allowed_host_commands = typer.Typer(
    no_args_is_help=True, help="Hosts that outgoing connections may reach."
)
SendCorrections = Annotated[bool, typer.Option(help="Send corrections automatically.")]
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")
HostName = Annotated[str, typer.Argument(help="HOST:PORT, such as ehr.example:443.")]


@allowed_host_commands.command("add")
def add_allowed_host(
    host: HostName,
    organisation: OrganisationId,
    *,
    private: Annotated[
        bool, typer.Option("--private", help="Allow loopback and private addresses.")
    ] = False,
) -> None:
    """Allow outgoing connections to a host and port."""
    from api.store.deliveries import allowed_hosts

    with open_transaction(organisation) as work:
        allowed_hosts.add_allowed_host(work, _parse_host(host), private=private)
        work.audit("administer", "place")
        print_json(_dump_allowed_hosts(work))


@allowed_host_commands.command("remove")
def remove_allowed_host(host: HostName, organisation: OrganisationId) -> None:
    """Remove a host from the allowlist. Takes effect on the next connection."""
    from api.store.deliveries import allowed_hosts

    with open_transaction(organisation) as work:
        allowed_hosts.delete_allowed_host(work, _parse_host(host))
        work.audit("administer", "place")


@allowed_host_commands.command("list")
def list_allowed_hosts(organisation: OrganisationId) -> None:
    """List the allowed hosts."""
    with open_transaction(organisation) as work:
        print_json(_dump_allowed_hosts(work))
        work.audit("list", "place")


@commands.command("add")
def add_destination(  # noqa: PLR0913, PLR0917 - Typer passes each option as a parameter
    name: str,
    organisation: OrganisationId,
    profile: Annotated[str, typer.Option(help="The profile of the receiver.")],
    address: Annotated[str, typer.Option(help="A URL: mllps://, mllp://, https:// or http://.")],
    options: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Destination options (JSON).")
    ] = None,
    token_url: Annotated[str | None, typer.Option(help="Token endpoint (FHIR only).")] = None,
    client_id: Annotated[str | None, typer.Option(help="Client id at the token endpoint.")] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Accepted CAs (PEM).")
    ] = None,
    *,
    send_corrections: SendCorrections = True,
) -> None:
    """Create a destination. The secret of a webhook is shown only once."""
    from api.deliveries.preview import check_destination
    from api.deliveries.transports.webhook import generate_webhook_secret
    from api.security.keys import generate_signing_key
    from api.store.deliveries import allowed_hosts, destinations
    from api.store.deliveries.destinations import DestinationSecrets
    from schemas.organisations.delivery import SmartSignIn

    content = DestinationSecrets(
        address=address,
        options=_read_options(options),
        authorities=tls_ca.read_text("utf-8") if tls_ca else None,
    )
    if token_url and client_id:
        key = generate_signing_key("ES384")
        smart = SmartSignIn(token_url=token_url, client_id=client_id)
        keys = {"key_kid": key.kid, "key_pem": key.private_pem.decode()}
        content = content.model_copy(update={"smart": smart, **keys})
    with open_transaction(organisation) as work:
        hosts = allowed_hosts.list_allowed_hosts(work)
        transport = check_destination(profile, content, hosts).transport
        secret = generate_webhook_secret() if transport == "webhook" else None
        if secret is not None:
            content = content.model_copy(update={"webhook_secrets": (secret,)})
        destination_id = destinations.add_destination(
            work, name, profile, content, follows=send_corrections
        )
        work.audit("administer", "destination", destination_id)
        summary = destinations.find_destination(work, destination_id).model_dump(mode="json")
        print_json(summary | ({"webhook_secret": secret} if secret else {}))


@commands.command("list")
def list_destinations(organisation: OrganisationId) -> None:
    """List destinations with their pending and failed deliveries."""
    from api.store.deliveries import destinations

    with open_transaction(organisation) as work:
        print_json(destinations.list_destinations(work))
        work.audit("list", "destination")


@commands.command("change")
def change_destination(
    destination: Annotated[str, typer.Argument(help="The id of the destination.")],
    organisation: OrganisationId,
    *,
    active: Active = None,
    send_corrections: Annotated[
        bool | None, typer.Option(help="Send corrections automatically.")
    ] = None,
) -> None:
    """Change a destination. Inactive destinations receive nothing."""
    from api.store.deliveries import destinations

    changes = collect_changes(active=active, follows=send_corrections)
    with open_transaction(organisation) as work:
        content = destinations.find_destination_secrets(work, destination)
        destinations.update_destination(work, destination, changes, content)
        work.audit("administer", "destination", destination)
        print_json(destinations.find_destination(work, destination))


def _parse_host(text: str) -> "HostPort":
    from api.outbound.allowlist import parse_target_url

    if not _HOST_AND_PORT.fullmatch(text):
        fail("HOST:PORT: expected a host and port without a URL scheme, such as ehr.example:443")
    try:
        return parse_target_url(f"https://{text}", ("https",)).host_port
    except ValueError as error:
        fail(f"HOST:PORT: {error}")


def _dump_allowed_hosts(work: "Transaction") -> list[dict[str, Any]]:
    from api.store.deliveries import allowed_hosts

    return [
        host.host_port._asdict() | {"private": host.is_private_allowed}
        for host in allowed_hosts.list_allowed_hosts(work)
    ]


def _read_options(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        options = json.loads(file.read_text("utf-8"))
    except ValueError:
        options = None
    if not isinstance(options, dict):
        fail("--options: expected a JSON object")
    return options
