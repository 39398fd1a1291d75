"""`nociscreen admin`: administer organisations, clients, practitioners and destinations."""

from typing import Annotated

import typer

from api.cli.administration import clients, destinations, organisations, practitioners
from api.cli.administration.issuers import issuer_commands
from api.cli.context import load_settings, open_configured_store, print_json, print_note

commands = typer.Typer(no_args_is_help=True, help="Organisations, clients, keys, practitioners.")
commands.add_typer(organisations.commands, name="organisation")
commands.add_typer(clients.commands, name="client")
commands.add_typer(practitioners.commands, name="practitioner")
commands.add_typer(destinations.commands, name="destination")
commands.add_typer(destinations.allowed_host_commands, name="allowed-host")
commands.add_typer(issuer_commands, name="issuer")


@commands.command()
def first(
    *, test: Annotated[bool, typer.Option("--test", help="Mark its reports as test.")] = False
) -> None:
    """Create the first organisation and a client with all scopes, if there is none."""
    from api.cli.bootstrap import create_first_client, create_first_invitation

    settings = load_settings()
    with open_configured_store(settings, may_create=True) as store:
        credentials = create_first_client(store, settings.first_client_file, test=test)
        is_embedded = store.database.is_embedded
        invitation_url = None if is_embedded else create_first_invitation(store, settings)
    if is_embedded:
        print_note("`nociscreen serve` prints the address at which to sign in")
    if invitation_url:
        print_note(f"to sign in for the first time, open {invitation_url}")
    if credentials is None:
        print_note("an organisation already exists")
        return
    file = settings.first_client_file
    print_note(f"created the first organisation and client; its secret is in {file}")
    print_json({name: credentials[name] for name in ("organisation", "client_id")})
