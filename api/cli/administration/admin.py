"""`nociscreen admin`: what is administered, one group of commands for each kind of thing."""

from typing import Annotated

import typer

from api.cli.administration import clients, destinations, organisations, practitioners
from api.cli.administration.issuers import issuer_commands
from api.cli.context import note, opened, say, settings

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
    from api.cli.bootstrap import first_client, first_invitation

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
