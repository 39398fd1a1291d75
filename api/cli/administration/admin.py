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
commands.add_typer(destinations.place_commands, name="place")
commands.add_typer(issuer_commands, name="issuer")


@commands.command()
def first(
    *, test: Annotated[bool, typer.Option("--test", help="Mark it as a test.")] = False
) -> None:
    """Make a first organisation and a client that may do everything, where there is none yet."""
    from api.cli.bootstrap import create_first_client, create_first_invitation

    settings = load_settings()
    with open_configured_store(settings) as store:
        credentials = create_first_client(store, settings.first_client_file, test=test)
        address = create_first_invitation(store, settings)
    if address:
        print_note(f"to sign in for the first time, open {address}")
    if credentials is None:
        print_note("there is an organisation already")
        return
    print_note(
        f"made a first organisation and client; its secret is in {settings.first_client_file}"
    )
    print_json({name: credentials[name] for name in ("organisation", "client_id")})
