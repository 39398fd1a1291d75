"""`nociscreen rulebook`: check a rulebook file and release it into the index."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import fail

commands = typer.Typer(no_args_is_help=True, help="Check and release rulebooks.")
RulebookFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]


@commands.command()
def check(file: RulebookFile) -> None:
    """Check a rulebook file and print every error in it."""
    from scoring.catalogue import RulebookError, read_rulebook

    try:
        loaded = read_rulebook(file)
    except RulebookError as error:
        fail(str(error))
    typer.echo(f"{loaded.name} is valid. SHA-256 {loaded.sha256}")


@commands.command("release")
def release_rulebook(
    file: RulebookFile,
    approver: Annotated[str, typer.Option(help="The approver's name, as it will be published.")],
    on: Annotated[
        str | None, typer.Option(help="The release date, YYYY-MM-DD; default: today.")
    ] = None,
) -> None:
    """Add a rulebook to the index as active, with its SHA-256."""
    from scoring.catalogue import RulebookError, add_release

    try:
        released_on = date.fromisoformat(on) if on else datetime.now(UTC).date()
        entry = add_release(file, approver, released_on)
    except (RulebookError, ValueError) as error:
        fail(str(error))
    typer.echo(f"{entry.name} is active from {entry.released_on}. SHA-256 {entry.sha256}")
