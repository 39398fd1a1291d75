"""`nociscreen admin practitioner`: people of an organisation, and how they are invited."""

from typing import Annotated

import typer

from api.cli.context import fail, opened, operator, say, settings

commands = typer.Typer(no_args_is_help=True, help="People of an organisation.")
Owner = Annotated[str, typer.Option("--organisation", help="The id of the organisation.")]


@commands.command("add")
def add_practitioner(
    name: str,
    reference: Annotated[str, typer.Option(help="How the organisation knows them.")],
    organisation: Owner,
    scope: Annotated[list[str] | None, typer.Option("--scope")] = None,
) -> None:
    """Enter a practitioner."""
    from api.store.accounts import practitioners

    with opened() as store, store.transaction(operator(organisation)) as work:
        try:
            entered = practitioners.add(work, reference, name, scope or ())
        except ValueError as error:
            fail(str(error))
        work.audit("administer", "practitioner", entered.id)
        say(entered)


@commands.command("invite")
def invite_practitioner(
    practitioner: Annotated[str, typer.Argument(help="The id.")],
    organisation: Owner,
    days: Annotated[int, typer.Option(min=1, max=30, help="How long it is good.")] = 7,
) -> None:
    """Print the address at which a practitioner chooses what to sign in with; it works once.

    Who may do nothing yet may from now on read and keep screenings and make reports.
    """
    from api.store.accounts import invitations, practitioners

    chosen = settings()
    with opened(chosen) as store, store.transaction(operator(organisation)) as work:
        if not practitioners.found(work, practitioner).scopes:
            practitioners.change(work, practitioner, {"scopes": practitioners.AT_DESK})
        made, secret = invitations.make(work, practitioner, days)
        work.audit("administer", "invitation", made.id)
        told = made.model_dump(mode="json")
        say(told | {"url": f"{chosen.public_url}/invitation/{secret}"})


@commands.command("list")
def list_practitioners(organisation: Owner) -> None:
    """Every practitioner of an organisation."""
    from api.store.accounts import practitioners

    with opened() as store, store.transaction(operator(organisation)) as work:
        listed = practitioners.every(work)
        work.audit("list", "practitioner")
        say([each.model_dump(mode="json") for each in listed])


@commands.command("change")
def change_practitioner(
    practitioner: Annotated[str, typer.Argument(help="The id.")],
    organisation: Owner,
    *,
    active: Annotated[bool, typer.Option("--active/--inactive")],
) -> None:
    """Let a practitioner in, or no longer."""
    from api.store.accounts import practitioners

    with opened() as store, store.transaction(operator(organisation)) as work:
        changed = practitioners.change(work, practitioner, {"active": active})
        work.audit("administer", "practitioner", practitioner)
        say(changed)
