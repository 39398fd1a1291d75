"""`nociscreen admin organisation`: who owns screenings, and what stands above their reports."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.context import fail, opened, operator, say

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

    with opened() as store:
        say(organisations.add(store, name, test=test, retention_years=retention_years))


@commands.command("list")
def list_organisations() -> None:
    """Every organisation."""
    from api.store.accounts import organisations

    with opened() as store, store.glance() as session:
        say([each.model_dump(mode="json") for each in organisations.every(session)])


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

    given = {"name": name, "test": test, "active": active, "retention_years": retention_years}
    changes: dict[str, Any] = {each: value for each, value in given.items() if value is not None}
    if retention_years == 0:
        changes["retention_years"] = None
    with opened() as store, store.transaction(operator(organisation)) as work:
        changed = organisations.change(work, changes)
        work.audit("administer", "organisation", organisation)
        say(changed)


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
