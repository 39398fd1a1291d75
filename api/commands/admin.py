"""`nociscreen admin`: organisations, clients, their secrets and keys, practitioners."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands import destinations
from api.commands.opened import fail, note, opened, operator, say, settings
from api.commands.trust import issuer_commands

commands = typer.Typer(no_args_is_help=True, help="Organisations, clients, keys, practitioners.")
organisation_commands = typer.Typer(no_args_is_help=True, help="Who owns screenings.")
client_commands = typer.Typer(no_args_is_help=True, help="Programs that call the API.")
practitioner_commands = typer.Typer(no_args_is_help=True, help="People of an organisation.")
commands.add_typer(organisation_commands, name="organisation")
commands.add_typer(client_commands, name="client")
commands.add_typer(practitioner_commands, name="practitioner")
commands.add_typer(destinations.commands, name="destination")
commands.add_typer(destinations.place_commands, name="place")
commands.add_typer(issuer_commands, name="issuer")

Owner = Annotated[str, typer.Option("--organisation", help="The id of the organisation.")]
ClientId = Annotated[str, typer.Argument(help="The id of the client.")]
Scope = Annotated[list[str], typer.Option("--scope", help="May be given several times.")]


@commands.command()
def first(
    *, test: Annotated[bool, typer.Option("--test", help="Mark it as a test.")] = False
) -> None:
    """Make a first organisation and a client that may do everything, where there is none yet."""
    from api.first import first_client, first_invitation

    chosen = settings()
    with opened(chosen) as store:
        made = first_client(store, chosen.first_client_file, test=test)
        address = first_invitation(store, chosen)
    if address:
        note(f"to sign in for the first time, open {address}")
    if made is None:
        note("there is an organisation already")
        return
    note(f"made a first organisation and client; its secret is in {chosen.first_client_file}")
    say({name: made[name] for name in ("organisation", "client_id")})


@organisation_commands.command("add")
def add_organisation(
    name: str,
    retention_years: Annotated[
        int | None, typer.Option(min=1, max=100, help="Keep for so long, then erase.")
    ] = None,
    *,
    test: Annotated[bool, typer.Option("--test", help="All it prints says so.")] = False,
) -> None:
    """Make an organisation."""
    from api.store import organisations

    with opened() as store:
        say(organisations.add(store, name, test=test, retention_years=retention_years))


@organisation_commands.command("list")
def list_organisations() -> None:
    """Every organisation."""
    from api.store import organisations

    with opened() as store, store.glance() as session:
        say([each.model_dump(mode="json") for each in organisations.every(session)])


@organisation_commands.command("change")
def change_organisation(
    organisation: str,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    retention_years: Annotated[
        int | None, typer.Option(min=0, max=100, help="Keep for so long; 0 for ever.")
    ] = None,
    *,
    test: Annotated[bool | None, typer.Option("--test/--no-test", help="Mark it or not.")] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--closed", help="A closed one is shut out at once.")
    ] = None,
) -> None:
    """Change an organisation; what is left out stays."""
    from api.store import organisations

    given = {"name": name, "test": test, "active": active, "retention_years": retention_years}
    changes: dict[str, Any] = {each: value for each, value in given.items() if value is not None}
    if retention_years == 0:
        changes["retention_years"] = None
    with opened() as store, store.transaction(operator(organisation)) as work:
        changed = organisations.change(work, changes)
        work.audit("administer", "organisation", organisation)
        say(changed)


@organisation_commands.command("letterhead")
def change_letterhead(  # noqa: PLR0913 - Typer passes each option as a parameter
    organisation: str,
    line: Annotated[
        list[str] | None, typer.Option("--line", help="A line of the address; up to five.")
    ] = None,
    logo: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A PNG or plain SVG.")
    ] = None,
    time_zone: Annotated[str | None, typer.Option(help="Such as Europe/Vienna.")] = None,
    locale: Annotated[str | None, typer.Option(help="The usual language: en, de or es.")] = None,
    *,
    no_logo: Annotated[bool, typer.Option("--no-logo", help="Take the logo away.")] = False,
) -> None:
    """Change what stands above an organisation's reports; what is left out stays."""
    from pydantic import ValidationError

    from api.store import letterheads

    given = {"address": line or None, "time_zone": time_zone, "language": locale}
    changes: dict[str, Any] = {each: value for each, value in given.items() if value is not None}
    if logo or no_logo:
        changes["logo"] = logo.read_bytes() if logo else None
    with opened() as store, store.transaction(operator(organisation)) as work:
        try:
            printed = letterheads.change(work, changes)
        except ValidationError as error:
            fail("; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors()))
        work.audit("administer", "organisation", organisation)
        say(printed.model_dump(mode="json", exclude={"logo"}) | {"logo": printed.logo is not None})


@client_commands.command("add")
def add_client(
    name: str,
    organisation: Owner,
    scope: Scope,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="Its own limit.")] = None,
    *,
    secret: Annotated[
        bool, typer.Option("--secret/--no-secret", help="Make a secret with it.")
    ] = True,
) -> None:
    """Make a client; its secret is shown this once."""
    from api.store import clients

    with opened() as store, store.transaction(operator(organisation)) as work:
        try:
            client = clients.add(work, name, scope, requests_per_minute)
        except ValueError as error:
            fail(str(error))
        text = clients.add_secret(work, client.id)[1] if secret else None
        work.audit("administer", "client", client.id)
        made = {"organisation": organisation, "client_id": client.id, "scopes": client.scopes}
        say(made | ({"client_secret": text} if text else {}))


@client_commands.command("list")
def list_clients(organisation: Owner) -> None:
    """Every client of an organisation, and which secrets and keys are live."""
    from api.store import clients

    with opened() as store, store.transaction(operator(organisation)) as work:
        listed = clients.every(work)
        work.audit("list", "client")
        say([each.model_dump(mode="json") for each in listed])


@client_commands.command("change")
def change_client(
    client: ClientId,
    organisation: Owner,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="All it may do.")] = None,
    *,
    active: Annotated[bool | None, typer.Option("--active/--inactive")] = None,
) -> None:
    """Change a client, for its living tokens too; what is left out stays."""
    from api.store import clients

    given = {"name": name, "scopes": scope or None, "active": active}
    changes = {each: value for each, value in given.items() if value is not None}
    with opened() as store, store.transaction(operator(organisation)) as work:
        try:
            changed = clients.change(work, client, changes)
        except ValueError as error:
            fail(str(error))
        work.audit("administer", "client", client)
        say(changed)


@client_commands.command("secret")
def add_secret(client: ClientId, organisation: Owner) -> None:
    """Make a second secret, to change over; it is shown this once."""
    from api.store import clients

    with opened() as store, store.transaction(operator(organisation)) as work:
        credential, text = clients.add_secret(work, client)
        work.audit("administer", "secret", credential.id)
        say({"id": credential.id, "client_secret": text})


@client_commands.command("drop-secret")
def drop_secret(
    client: ClientId, secret: Annotated[str, typer.Argument(help="Its id.")], organisation: Owner
) -> None:
    """Take a secret back."""
    from api.store import clients

    with opened() as store, store.transaction(operator(organisation)) as work:
        clients.drop_secret(work, client, secret)
        work.audit("administer", "secret", secret)


@client_commands.command("key")
def add_key(
    client: ClientId,
    jwk: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A public JWK.")],
    organisation: Owner,
) -> None:
    """Register a public key for `private_key_jwt`."""
    from api.store import clients

    with opened() as store, store.transaction(operator(organisation)) as work:
        try:
            registered = clients.add_key(work, client, json.loads(jwk.read_bytes()))
        except ValueError as error:
            fail(str(error))
        work.audit("administer", "public_key", client)
        say(registered)


@client_commands.command("api-key")
def add_api_key(
    client: ClientId,
    organisation: Owner,
    scope: Scope,
    days: Annotated[int, typer.Option(min=1, max=3660, help="How long it lives.")] = 365,
) -> None:
    """Make an API key; it is shown this once, and sent as `X-API-Key`."""
    from api.store import clients, organisations

    with opened() as store, store.transaction(operator(organisation)) as work:
        until = datetime.now(UTC) + timedelta(days=days)
        test = organisations.own(work).test
        try:
            credential, text = clients.add_api_key(work, client, scope, until, test=test)
        except ValueError as error:
            fail(str(error))
        work.audit("administer", "api_key", credential.id)
        say(credential.model_dump(mode="json") | {"api_key": text})


@client_commands.command("revoke-api-key")
def revoke_api_key(
    client: ClientId, key: Annotated[str, typer.Argument(help="Its id.")], organisation: Owner
) -> None:
    """End an API key at once."""
    from api.store import clients

    with opened() as store, store.transaction(operator(organisation)) as work:
        clients.revoke_api_key(work, client, key)
        work.audit("administer", "api_key", key)


@practitioner_commands.command("add")
def add_practitioner(
    name: str,
    reference: Annotated[str, typer.Option(help="How the organisation knows them.")],
    organisation: Owner,
    scope: Annotated[list[str] | None, typer.Option("--scope")] = None,
) -> None:
    """Enter a practitioner."""
    from api.store import practitioners

    with opened() as store, store.transaction(operator(organisation)) as work:
        try:
            entered = practitioners.add(work, reference, name, scope or ())
        except ValueError as error:
            fail(str(error))
        work.audit("administer", "practitioner", entered.id)
        say(entered)


@practitioner_commands.command("invite")
def invite_practitioner(
    practitioner: Annotated[str, typer.Argument(help="The id.")],
    organisation: Owner,
    days: Annotated[int, typer.Option(min=1, max=30, help="How long it is good.")] = 7,
) -> None:
    """Print the address at which a practitioner chooses what to sign in with; it works once.

    Who may do nothing yet may from now on read and keep screenings and make reports.
    """
    from api.store import invitations, practitioners

    chosen = settings()
    with opened(chosen) as store, store.transaction(operator(organisation)) as work:
        if not practitioners.found(work, practitioner).scopes:
            practitioners.change(work, practitioner, {"scopes": practitioners.AT_DESK})
        made, secret = invitations.make(work, practitioner, days)
        work.audit("administer", "invitation", made.id)
        told = made.model_dump(mode="json")
        say(told | {"url": f"{chosen.public_url}/invitation/{secret}"})


@practitioner_commands.command("list")
def list_practitioners(organisation: Owner) -> None:
    """Every practitioner of an organisation."""
    from api.store import practitioners

    with opened() as store, store.transaction(operator(organisation)) as work:
        listed = practitioners.every(work)
        work.audit("list", "practitioner")
        say([each.model_dump(mode="json") for each in listed])


@practitioner_commands.command("change")
def change_practitioner(
    practitioner: Annotated[str, typer.Argument(help="The id.")],
    organisation: Owner,
    *,
    active: Annotated[bool, typer.Option("--active/--inactive")],
) -> None:
    """Let a practitioner in, or no longer."""
    from api.store import practitioners

    with opened() as store, store.transaction(operator(organisation)) as work:
        changed = practitioners.change(work, practitioner, {"active": active})
        work.audit("administer", "practitioner", practitioner)
        say(changed)
