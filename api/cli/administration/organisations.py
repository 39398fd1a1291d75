"""`nociscreen admin organisation`: manage organisations and the letterheads of their reports."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.context import fail, open_configured_store, open_transaction, print_json

commands = typer.Typer(no_args_is_help=True, help="Who owns screenings.")


@commands.command("add")
def add_organisation(
    name: str,
    retention_years: Annotated[
        int | None, typer.Option(min=1, max=100, help="Keep for so long, then erase.")
    ] = None,
    *,
    test: Annotated[bool, typer.Option("--test", help="All it prints says so.")] = False,
) -> None:
    """Make an organisation."""
    from api.store.accounts import organisations

    with open_configured_store() as store:
        print_json(
            organisations.add_organisation(store, name, test=test, retention_years=retention_years)
        )


@commands.command("list")
def list_organisations() -> None:
    """Every organisation."""
    from api.store.accounts import organisations

    with open_configured_store() as store, store.read_all_organisations() as session:
        listing = organisations.list_organisations(session)
        print_json([organisation.model_dump(mode="json") for organisation in listing])


@commands.command("change")
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
    from api.store.accounts import organisations

    options = {"name": name, "test": test, "active": active, "retention_years": retention_years}
    changes: dict[str, Any] = {
        field: value for field, value in options.items() if value is not None
    }
    if retention_years == 0:
        changes["retention_years"] = None
    with open_transaction(organisation) as work:
        updated = organisations.update_organisation(work, changes)
        work.audit("administer", "organisation", organisation)
        print_json(updated)


@commands.command("letterhead")
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

    from api.store.accounts import letterheads

    options = {"address": line or None, "time_zone": time_zone, "language": locale}
    changes: dict[str, Any] = {
        field: value for field, value in options.items() if value is not None
    }
    if logo or no_logo:
        changes["logo"] = logo.read_bytes() if logo else None
    with open_transaction(organisation) as work:
        try:
            letterhead = letterheads.update_letterhead(work, changes)
        except ValidationError as error:
            fail("; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors()))
        work.audit("administer", "organisation", organisation)
        print_json(
            letterhead.model_dump(mode="json", exclude={"logo"})
            | {"logo": letterhead.logo is not None}
        )
