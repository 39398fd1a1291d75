"""`nociscreen link`: create, list and revoke patient links; read or change form settings."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import (
    OrganisationId,
    fail,
    load_settings,
    open_transaction,
    print_json,
    print_note,
    refuse_invalid_input,
)

commands = typer.Typer(no_args_is_help=True, help="Patient links and form settings.")


@commands.command("new")
def add_link(  # noqa: PLR0913 - Typer passes each option as a parameter
    reference: Annotated[str, typer.Argument(help="The patient's reference in your system.")],
    organisation: OrganisationId,
    rulebook: Annotated[str, typer.Option(help="The instrument.")] = "nociplastic",
    days: Annotated[int, typer.Option(min=1, max=90, help="Validity in days.")] = 14,
    qr: Annotated[Path | None, typer.Option(help="Write its QR code to this SVG file.")] = None,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Bind the link to the first browser that opens it.")
    ] = False,
) -> None:
    """Create a link and print it with its URL. The URL is shown only once."""
    from api.forms.link_urls import build_new_link
    from api.store.forms import links
    from schemas.patients.links import LinkKind
    from schemas.patients.patient import KnownPatient
    from scoring.catalogue import UnknownRulebookError, load_catalogue

    try:
        name = load_catalogue().find_current(rulebook).name
        patient = KnownPatient(reference=reference)
    except UnknownRulebookError:
        names = ", ".join(loaded.name for loaded in load_catalogue().list_current())
        fail(f"--rulebook: expected one of {names}")
    except ValueError:
        fail("REFERENCE: expected 1 to 200 characters")
    settings = load_settings()
    kind: LinkKind = "once" if once else "until_submitted"
    link_request = links.LinkRequest(patient, name, kind=kind, days=days)
    with open_transaction(organisation, settings) as work:
        link, secret = links.add_link(work, link_request)
        work.audit("create", "link", link.id)
    new_link = build_new_link(link, secret, settings.public_url)
    if qr is not None:
        qr.write_text(new_link.qr, encoding="utf-8")
        print_note(f"the QR code is in {qr}")
    print_json(new_link.model_dump(mode="json", exclude={"qr"}))


@commands.command("list")
def list_links(organisation: OrganisationId) -> None:
    """Print the links, urgent ones first."""
    from api.store.forms import links

    with open_transaction(organisation) as work:
        urgent, page = links.list_urgent_links(work), links.list_links(work, 100)
        work.audit("list", "link", count=max(len(page.links), 1))
        print_json({"urgent": urgent, "links": page.links})


@commands.command("revoke")
def revoke_link(
    link: Annotated[str, typer.Argument(help="The id of the link.")], organisation: OrganisationId
) -> None:
    """Revoke a link; it can no longer be used."""
    from api.store.forms import links

    with open_transaction(organisation) as work:
        links.revoke_link(work, link)
        work.audit("revoke", "link", link)
    print_note("revoked")


@commands.command("forms")
def show_or_change_forms(
    organisation: OrganisationId,
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="New form settings (JSON).")
    ] = None,
) -> None:
    """Print an organisation's form settings, or replace them from a file."""
    from api.store.forms import form_settings
    from schemas.organisations.form_settings import FormSettings

    with refuse_invalid_input():
        replacement = FormSettings.model_validate_json(file.read_bytes()) if file else None
    with open_transaction(organisation) as work:
        if replacement is not None:
            form_settings.update_form_settings(work, replacement)
        print_json(form_settings.load_form_settings(work))
        work.audit("read" if replacement is None else "administer", "form_settings")
