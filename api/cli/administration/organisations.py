"""`nociscreen admin organisation`: manage organisations and the letterheads of their reports."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import (
    collect_changes,
    open_configured_store,
    open_transaction,
    print_json,
    refuse_invalid_input,
)

commands = typer.Typer(no_args_is_help=True, help="Organisations that own screenings.")


@commands.command("add")
def add_organisation(
    name: str,
    retention_years: Annotated[
        int | None, typer.Option(min=1, max=100, help="Retention in years.")
    ] = None,
    *,
    test: Annotated[bool, typer.Option("--test", help="Mark its reports as test.")] = False,
) -> None:
    """Create an organisation."""
    from api.store.accounts import organisations

    with open_configured_store() as store:
        print_json(
            organisations.add_organisation(store, name, test=test, retention_years=retention_years)
        )


@commands.command("list")
def list_organisations() -> None:
    """List the organisations."""
    from api.store.accounts import organisations

    with open_configured_store() as store, store.read_all_organisations() as session:
        print_json(organisations.list_organisations(session))


@commands.command("change")
def change_organisation(  # noqa: PLR0913 - Typer passes each option as a parameter
    organisation: str,
    name: Annotated[str | None, typer.Option(help="The new name.")] = None,
    retention_years: Annotated[
        int | None, typer.Option(min=0, max=100, help="Retention in years; 0 = unlimited.")
    ] = None,
    *,
    test: Annotated[
        bool | None, typer.Option("--test/--no-test", help="Mark its reports as test.")
    ] = None,
    active: Annotated[
        bool | None,
        typer.Option("--active/--inactive", help="Deactivation ends access immediately."),
    ] = None,
    second_approval: Annotated[
        bool | None,
        typer.Option(
            "--second-approval/--no-second-approval",
            help="Whether erasure, merging and new clients need a second person's approval.",
        ),
    ] = None,
) -> None:
    """Change an organisation. Omitted options keep their value."""
    from api.store.accounts import organisations

    changes = collect_changes(
        name=name,
        test=test,
        active=active,
        retention_years=retention_years,
        second_approval=second_approval,
    )
    if retention_years == 0:
        changes["retention_years"] = None
    with open_transaction(organisation) as work:
        updated = organisations.update_organisation(work, changes)
        work.audit("administer", "organisation", organisation)
        print_json(updated)


@commands.command("quotas")
def change_quotas(
    organisation: str,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=0, help="Requests of all its clients in a minute.")
    ] = None,
    render_seconds: Annotated[
        int | None, typer.Option(min=0, help="Seconds of rendering reports in a minute.")
    ] = None,
    batch_bytes: Annotated[
        int | None, typer.Option(min=0, help="Bytes that its stored batches may take.")
    ] = None,
    waiting_rows: Annotated[
        int | None, typer.Option(min=0, help="Rows of its batches that may wait.")
    ] = None,
) -> None:
    """Change the quotas of an organisation, or print them if no option is given.

    0 sets the default of the settings again, and so does null in what is printed.
    """
    from api.store.accounts import quotas

    changes = collect_changes(
        requests_per_minute=requests_per_minute,
        render_seconds=render_seconds,
        batch_bytes=batch_bytes,
        waiting_rows=waiting_rows,
    )
    with open_transaction(organisation) as work:
        updated = quotas.update_quotas(
            work, {name: quota or None for name, quota in changes.items()}
        )
        work.audit("administer" if changes else "read", "organisation", organisation)
        print_json(updated._asdict())


@commands.command("letterhead")
def change_letterhead(  # noqa: PLR0913 - Typer passes each option as a parameter
    organisation: str,
    line: Annotated[
        list[str] | None, typer.Option("--line", help="A line of the address, up to five.")
    ] = None,
    logo: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A PNG or plain SVG.")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="A time zone such as Europe/Vienna.")
    ] = None,
    locale: Annotated[str | None, typer.Option(help="The default language: en, de or es.")] = None,
    *,
    no_logo: Annotated[bool, typer.Option("--no-logo", help="Remove the logo.")] = False,
) -> None:
    """Change the letterhead of an organisation's reports. Omitted options keep their value."""
    from api.store.accounts import letterheads

    changes = collect_changes(address=line or None, time_zone=time_zone, language=locale)
    if logo or no_logo:
        changes["logo"] = logo.read_bytes() if logo else None
    with open_transaction(organisation) as work, refuse_invalid_input():
        letterhead = letterheads.update_letterhead(work, changes)
        work.audit("administer", "organisation", organisation)
        print_json(
            letterhead.model_dump(mode="json", exclude={"logo"})
            | {"logo": letterhead.logo is not None}
        )
