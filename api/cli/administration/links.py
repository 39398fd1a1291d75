"""`nociscreen link`: make a link for a patient, list links, revoke one, choose what forms say."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import fail, note, opened, operator, say, settings

commands = typer.Typer(no_args_is_help=True, help="Links for patients, and what forms say.")
Organisation = Annotated[str, typer.Option("--organisation", help="Whose.")]


@commands.command()
def new(  # noqa: PLR0913 - each option is one choice
    reference: Annotated[str, typer.Argument(help="The patient, by the number in your system.")],
    organisation: Organisation,
    rulebook: Annotated[str, typer.Option(help="The instrument.")] = "nociplastic",
    days: Annotated[int, typer.Option(min=1, max=90, help="Until it expires.")] = 14,
    qr: Annotated[Path | None, typer.Option(help="Write its QR code here, as SVG.")] = None,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Only the browser that begins may go on.")
    ] = False,
) -> None:
    """Make a link and print it with its address, which is shown this once."""
    from api.forms.link_urls import shown_once
    from api.store.forms import form_settings, links
    from schemas.links import LinkKind
    from schemas.patient import KnownPatient
    from scoring.catalogue import UnknownRulebookError, catalogue

    try:
        name = catalogue().active(rulebook).name
        patient = KnownPatient(reference=reference)
    except UnknownRulebookError:
        fail(f"--rulebook is one of {', '.join(each.name for each in catalogue().scored())}")
    except ValueError:
        fail("the reference must be a text of 1 to 200 characters")
    chosen = settings()
    with opened(chosen) as store, store.transaction(operator(organisation)) as work:
        again = form_settings.own(work).ask_again_days
        kind: LinkKind = "once" if once else "until_submitted"
        wanted = links.Wanted(patient, name, again, kind, days=days)
        made, secret = links.make(work, wanted)
        work.audit("create", "link", made.id)
    shown = shown_once(made, secret, chosen.public_url)
    if qr is not None:
        qr.write_text(shown.qr, encoding="utf-8")
        note(f"the QR code is in {qr}")
    say(shown.model_dump(mode="json", exclude={"qr"}))


@commands.command("list")
def list_(organisation: Organisation) -> None:
    """Print the links, those first that need to be looked at."""
    from api.store.forms import links

    with opened() as store, store.transaction(operator(organisation)) as work:
        urgent, page = links.urgent(work), links.page(work, 100)
        work.audit("list", "link", count=max(len(page.links), 1))
        told = {"urgent": urgent, "links": page.links}
        say({name: [each.model_dump(mode="json") for each in some] for name, some in told.items()})


@commands.command()
def revoke(
    link: Annotated[str, typer.Argument(help="Its id.")], organisation: Organisation
) -> None:
    """From now on nobody can answer under it."""
    from api.store.forms import links

    with opened() as store, store.transaction(operator(organisation)) as work:
        links.revoke(work, link)
        work.audit("revoke", "link", link)
    note("revoked")


@commands.command("forms")
def forms(
    organisation: Organisation,
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="JSON to take.")
    ] = None,
) -> None:
    """Print what the forms of an organisation say and ask; with a file, take it from there."""
    from pydantic import ValidationError

    from api.store.forms import form_settings
    from schemas.form_settings import FormSettings

    try:
        chosen = FormSettings.model_validate_json(file.read_bytes()) if file else None
    except ValidationError as error:
        fail(
            "\n".join(
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
            )
        )
    with opened() as store, store.transaction(operator(organisation)) as work:
        if chosen is not None:
            form_settings.change(work, chosen)
        say(form_settings.own(work))
        work.audit("read" if chosen is None else "administer", "form_settings")
