"""`nociscreen admin destination | place`: where deliveries go, and where they may."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.context import fail, opened, operator, say

commands = typer.Typer(no_args_is_help=True, help="Receivers of deliveries.")
place_commands = typer.Typer(
    no_args_is_help=True, help="Hosts and ports that connections may go to."
)
Owner = Annotated[str, typer.Option("--organisation", help="The id of the organisation.")]
_PLAIN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")
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

    with opened() as store, store.transaction(operator(organisation)) as work:
        allowed_hosts.allow(work, _place(place), private=private)
        work.audit("administer", "place")
        say(_told(work))


@place_commands.command("disallow")
def disallow_place(place: PlaceName, organisation: Owner) -> None:
    """From the next connection on, none goes there."""
    from api.store.deliveries import allowed_hosts

    with opened() as store, store.transaction(operator(organisation)) as work:
        allowed_hosts.disallow(work, _place(place))
        work.audit("administer", "place")


@place_commands.command("list")
def list_places(organisation: Owner) -> None:
    """Where connections may go."""
    with opened() as store, store.transaction(operator(organisation)) as work:
        say(_told(work))
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
    from api.deliveries.preview import check
    from api.deliveries.transports.webhook import new_secret
    from api.security.signatures import new_signing_key
    from api.store.deliveries import allowed_hosts, destinations
    from api.store.deliveries.destinations import Sealed
    from schemas.delivery import Smart

    smart = Smart(token_url=token_url, client_id=client_id) if token_url and client_id else None
    key = new_signing_key("ES384") if smart else None
    content = Sealed(
        address=address,
        options=_options(options),
        smart=smart,
        key_kid=key.kid if key else None,
        key_pem=key.private_pem.decode() if key else None,
        authorities=tls_authorities.read_text("utf-8") if tls_authorities else None,
    )
    with opened() as store, store.transaction(operator(organisation)) as work:
        checked = check(profile, content, allowed_hosts.allowed(work))
        secret = new_secret() if checked.transport == "webhook" else None
        if secret is not None:
            content = content.model_copy(update={"webhook_secrets": (secret,)})
        made = destinations.add(work, name, profile, content, follows=follows)
        work.audit("administer", "destination", made)
        told = destinations.found(work, made).model_dump(mode="json")
        say(told | ({"webhook_secret": secret} if secret else {}))


@commands.command("list")
def list_destinations(organisation: Owner) -> None:
    """Every destination, and how much waits for it or was given up."""
    from api.store.deliveries import destinations

    with opened() as store, store.transaction(operator(organisation)) as work:
        listed = destinations.every(work)
        work.audit("list", "destination")
        say([each.model_dump(mode="json") for each in listed])


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

    given = {"active": active, "follows": follows}
    named = {name: value for name, value in given.items() if value is not None}
    with opened() as store, store.transaction(operator(organisation)) as work:
        content = destinations.opened(work, destination)
        destinations.change(work, destination, named, content)
        work.audit("administer", "destination", destination)
        say(destinations.found(work, destination))


def _place(text: str) -> Any:
    from api.outbound.allowlist import target

    if not _PLAIN.fullmatch(text):
        fail("HOST:PORT: must be a host and a port alone, no address; such as ehr.example:443")
    try:
        return target(f"https://{text}", ("https",)).place
    except ValueError as error:
        fail(f"HOST:PORT: {error}")


def _told(work: Any) -> list[dict[str, Any]]:
    from api.store.deliveries import allowed_hosts

    return [
        each.place._asdict() | {"private": each.private} for each in allowed_hosts.allowed(work)
    ]


def _options(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        told = json.loads(file.read_text("utf-8"))
    except ValueError:
        told = None
    if not isinstance(told, dict):
        fail("--options: expected a JSON object")
    return told
