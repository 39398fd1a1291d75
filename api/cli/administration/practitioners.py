"""`nociscreen admin practitioner`: manage and invite practitioners."""

from typing import Annotated

import typer

from api.cli.context import fail, load_settings, open_transaction, print_json

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

    with open_transaction(organisation) as work:
        try:
            added = practitioners.add_practitioner(work, reference, name, scope or ())
        except ValueError as error:
            fail(str(error))
        work.audit("administer", "practitioner", added.id)
        print_json(added)


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

    settings = load_settings()
    with open_transaction(organisation, settings) as work:
        if not practitioners.find_practitioner(work, practitioner).scopes:
            practitioners.update_practitioner(
                work, practitioner, {"scopes": practitioners.DEFAULT_PRACTITIONER_SCOPES}
            )
        invitation, secret = invitations.add_invitation(work, practitioner, days)
        work.audit("administer", "invitation", invitation.id)
        summary = invitation.model_dump(mode="json")
        print_json(summary | {"url": f"{settings.public_url}/invitation/{secret}"})


@commands.command("list")
def list_practitioners(organisation: Owner) -> None:
    """Every practitioner of an organisation."""
    from api.store.accounts import practitioners

    with open_transaction(organisation) as work:
        listing = practitioners.list_practitioners(work)
        work.audit("list", "practitioner")
        print_json([practitioner.model_dump(mode="json") for practitioner in listing])


@commands.command("change")
def change_practitioner(
    practitioner: Annotated[str, typer.Argument(help="The id.")],
    organisation: Owner,
    *,
    active: Annotated[bool, typer.Option("--active/--inactive")],
) -> None:
    """Let a practitioner in, or no longer."""
    from api.store.accounts import practitioners

    with open_transaction(organisation) as work:
        updated = practitioners.update_practitioner(work, practitioner, {"active": active})
        work.audit("administer", "practitioner", practitioner)
        print_json(updated)
