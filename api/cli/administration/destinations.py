"""`nociscreen admin destination | place`: manage delivery destinations and allowed hosts."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.context import fail, open_transaction, print_json

if TYPE_CHECKING:
    from api.outbound.allowlist import HostPort
    from api.store.transaction import Transaction

commands = typer.Typer(no_args_is_help=True, help="Receivers of deliveries.")
place_commands = typer.Typer(
    no_args_is_help=True, help="Hosts and ports that connections may go to."
)
Owner = Annotated[str, typer.Option("--organisation", help="The id of the organisation.")]
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")
PlaceName = Annotated[str, typer.Argument(help="HOST:PORT, such as ehr.example:443.")]


@place_commands.command("allow")
def allow_place(
    place: PlaceName,
    organisation: Owner,
    *,
    private: Annotated[
        bool,
        typer.Option("--private", help="It may lie in the house: loopback, a private range."),
    ] = False,
) -> None:
    """Let connections in the organisation's name go there."""
    from api.store.deliveries import allowed_hosts

    with open_transaction(organisation) as work:
        allowed_hosts.add_allowed_host(work, _parse_place(place), private=private)
        work.audit("administer", "place")
        print_json(_list_allowed_hosts(work))


@place_commands.command("disallow")
def disallow_place(place: PlaceName, organisation: Owner) -> None:
    """From the next connection on, none goes there."""
    from api.store.deliveries import allowed_hosts

    with open_transaction(organisation) as work:
        allowed_hosts.delete_allowed_host(work, _parse_place(place))
        work.audit("administer", "place")


@place_commands.command("list")
def list_places(organisation: Owner) -> None:
    """Where connections may go."""
    with open_transaction(organisation) as work:
        print_json(_list_allowed_hosts(work))
        work.audit("list", "place")


@commands.command("add")
def add_destination(  # noqa: PLR0913, PLR0917 - a command has as many options as it needs
    name: str,
    organisation: Owner,
    profile: Annotated[str, typer.Option(help="The kind of receiver.")],
    address: Annotated[str, typer.Option(help="mllps://, mllp://, https:// or http://.")],
    options: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Its own options, as JSON.")
    ] = None,
    token_url: Annotated[str | None, typer.Option(help="Where we sign in, for FHIR.")] = None,
    client_id: Annotated[str | None, typer.Option(help="As whom we sign in.")] = None,
    tls_authorities: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
    *,
    follows: Annotated[
        bool, typer.Option("--follows/--no-follows", help="Corrections follow by themselves.")
    ] = True,
) -> None:
    """Make a destination; a webhook's secret is shown this once."""
    from api.deliveries.preview import check_destination
    from api.deliveries.transports.webhook import generate_webhook_secret
    from api.security.signatures import generate_signing_key
    from api.store.deliveries import allowed_hosts, destinations
    from api.store.deliveries.destinations import DestinationSecrets
    from schemas.delivery import SmartSignIn

    smart = (
        SmartSignIn(token_url=token_url, client_id=client_id) if token_url and client_id else None
    )
    key = generate_signing_key("ES384") if smart else None
    content = DestinationSecrets(
        address=address,
        options=_read_options(options),
        smart=smart,
        key_kid=key.kid if key else None,
        key_pem=key.private_pem.decode() if key else None,
        authorities=tls_authorities.read_text("utf-8") if tls_authorities else None,
    )
    with open_transaction(organisation) as work:
        transport = check_destination(
            profile, content, allowed_hosts.list_allowed_hosts(work)
        ).transport
        secret = generate_webhook_secret() if transport == "webhook" else None
        if secret is not None:
            content = content.model_copy(update={"webhook_secrets": (secret,)})
        destination_id = destinations.add_destination(work, name, profile, content, follows=follows)
        work.audit("administer", "destination", destination_id)
        summary = destinations.find_destination(work, destination_id).model_dump(mode="json")
        print_json(summary | ({"webhook_secret": secret} if secret else {}))


@commands.command("list")
def list_destinations(organisation: Owner) -> None:
    """Every destination, and how much waits for it or was given up."""
    from api.store.deliveries import destinations

    with open_transaction(organisation) as work:
        listing = destinations.list_destinations(work)
        work.audit("list", "destination")
        print_json([destination.model_dump(mode="json") for destination in listing])


@commands.command("change")
def change_destination(
    destination: Annotated[str, typer.Argument(help="The id.")],
    organisation: Owner,
    *,
    active: Annotated[bool | None, typer.Option("--active/--inactive")] = None,
    follows: Annotated[bool | None, typer.Option("--follows/--no-follows")] = None,
) -> None:
    """Change a destination; an inactive one is sent nothing."""
    from api.store.deliveries import destinations

    options = {"active": active, "follows": follows}
    changes = {name: value for name, value in options.items() if value is not None}
    with open_transaction(organisation) as work:
        content = destinations.find_destination_secrets(work, destination)
        destinations.update_destination(work, destination, changes, content)
        work.audit("administer", "destination", destination)
        print_json(destinations.find_destination(work, destination))


def _parse_place(text: str) -> "HostPort":
    from api.outbound.allowlist import parse_target_url

    if not _HOST_AND_PORT.fullmatch(text):
        fail("HOST:PORT: must be a host and a port alone, no address; such as ehr.example:443")
    try:
        return parse_target_url(f"https://{text}", ("https",)).host_port
    except ValueError as error:
        fail(f"HOST:PORT: {error}")


def _list_allowed_hosts(work: "Transaction") -> list[dict[str, Any]]:
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
