"""`nociscreen admin issuer`: whose tokens an organisation takes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.context import fail, opened, operator, say

if TYPE_CHECKING:
    from schemas.issuer import IssuerTerms

issuer_commands = typer.Typer(no_args_is_help=True, help="Whose tokens are taken.")
Owner = Annotated[str, typer.Option("--organisation", help="The id of the organisation.")]
IssuerId = Annotated[str, typer.Argument(help="The id of the issuer.")]
Terms = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="How its tokens are read, as JSON.")
]


@issuer_commands.command("add")
def add_issuer(
    issuer: Annotated[str, typer.Argument(help="Its `iss`: an address.")],
    terms: Terms,
    organisation: Owner,
    audience: Annotated[str, typer.Option(help="The `aud` of its access tokens.")] = "",
    *,
    hooks: Annotated[
        bool, typer.Option("--hooks", help="It is an EHR that calls CDS Hooks.")
    ] = False,
) -> None:
    """Take the tokens of an issuer for one organisation."""
    from api.store.accounts import issuers

    if hooks == bool(audience):
        fail("expected --audience, or --hooks, whose audience is each address that is called")
    read = _terms(terms)
    with opened() as store, store.transaction(operator(organisation)) as work:
        try:
            made = issuers.add(work, "hooks" if hooks else "access", issuer, audience, read)
        except ValueError as error:
            fail(_first(error))
        work.audit("administer", "issuer", made.id)
        say(made)


@issuer_commands.command("list")
def list_issuers(organisation: Owner) -> None:
    """Every issuer whose tokens are taken for the organisation."""
    from api.store.accounts import issuers

    with opened() as store, store.transaction(operator(organisation)) as work:
        listed = issuers.every(work)
        work.audit("list", "issuer")
        say([each.model_dump(mode="json") for each in listed])


@issuer_commands.command("change")
def change_issuer(
    issuer: IssuerId,
    organisation: Owner,
    terms: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Other terms, as JSON.")
    ] = None,
    *,
    active: Annotated[bool | None, typer.Option("--active/--inactive")] = None,
) -> None:
    """Let an issuer in or shut it out, or give it other keys or scopes, from the next call on."""
    from api.store.accounts import issuers

    read = _terms(terms) if terms else None
    with opened() as store, store.transaction(operator(organisation)) as work:
        try:
            changed = issuers.change(work, issuer, active=active, terms=read)
        except ValueError as error:
            fail(_first(error))
        work.audit("administer", "issuer", issuer)
        say(changed)


@issuer_commands.command("drop")
def drop_issuer(issuer: IssuerId, organisation: Owner) -> None:
    """Take its tokens no more."""
    from api.store.accounts import issuers

    with opened() as store, store.transaction(operator(organisation)) as work:
        issuers.drop(work, issuer)
        work.audit("administer", "issuer", issuer)


def _terms(file: Path) -> "IssuerTerms":
    from pydantic import ValidationError

    from schemas.issuer import IssuerTerms

    try:
        return IssuerTerms.model_validate(json.loads(file.read_bytes()))
    except ValidationError as error:
        faults = [f"/{'/'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        fail("\n".join(faults))
    except ValueError:
        fail("expected JSON")


def _first(error: ValueError) -> str:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    told: Any = error.errors()[0]
    return f"{'/'.join(map(str, told['loc']))}: {told['msg']}"
