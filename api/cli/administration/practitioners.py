"""`nociscreen admin practitioner`: manage and invite practitioners."""

from typing import Annotated

import typer

from api.cli.context import (
    OrganisationId,
    collect_changes,
    load_settings,
    open_transaction,
    print_json,
    refuse_invalid_input,
)

commands = typer.Typer(no_args_is_help=True, help="Practitioners of an organisation.")
Email = Annotated[str | None, typer.Option(help="The e-mail address for notifications.")]
PractitionerId = Annotated[str, typer.Argument(help="The id of the practitioner.")]


@commands.command("add")
def add_practitioner(
    name: str,
    reference: Annotated[
        str, typer.Option(help="The organisation's reference for the practitioner.")
    ],
    organisation: OrganisationId,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help="A scope; repeat the option for more. Without it: read and store screenings, "
            "create reports.",
        ),
    ] = None,
    email: Email = None,
) -> None:
    """Add a practitioner."""
    from api.store.accounts import practitioners

    with open_transaction(organisation) as work, refuse_invalid_input():
        scopes = scope or practitioners.DEFAULT_PRACTITIONER_SCOPES
        practitioner = practitioners.add_practitioner(work, reference, name, scopes, email)
        work.audit("administer", "practitioner", practitioner.id)
        print_json(practitioner)


@commands.command("invite")
def invite_practitioner(
    practitioner: PractitionerId,
    organisation: OrganisationId,
    days: Annotated[int, typer.Option(min=1, max=30, help="Validity in days.")] = 7,
) -> None:
    """Print a one-time URL at which a practitioner sets up their login.

    A practitioner without scopes receives the default scopes: read and store screenings, create
    reports.
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
def list_practitioners(organisation: OrganisationId) -> None:
    """List the practitioners of an organisation."""
    from api.store.accounts import practitioners

    with open_transaction(organisation) as work:
        print_json(practitioners.list_practitioners(work))
        work.audit("list", "practitioner")


@commands.command("change")
def change_practitioner(
    practitioner: PractitionerId,
    organisation: OrganisationId,
    email: Email = None,
    *,
    active: Annotated[
        bool | None,
        typer.Option("--active/--inactive", help="Deactivation ends access immediately."),
    ] = None,
    gets_alerts: Annotated[
        bool | None,
        typer.Option("--alerts/--no-alerts", help="Whether red flags and answers are sent there."),
    ] = None,
) -> None:
    """Change a practitioner: access, e-mail address and alerts. Omitted options keep their value.

    An empty e-mail address removes it.
    """
    from api.store.accounts import practitioners

    changes = collect_changes(active=active, gets_alerts=gets_alerts)
    if email is not None:
        changes["email"] = email or None
    with open_transaction(organisation) as work, refuse_invalid_input():
        updated = practitioners.update_practitioner(work, practitioner, changes)
        work.audit("administer", "practitioner", practitioner)
        print_json(updated)
