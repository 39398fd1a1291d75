"""`nociscreen admin issuer`: manage the external token issuers of an organisation."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.context import fail, open_transaction, print_json

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
    issuer_terms = _read_terms(terms)
    with open_transaction(organisation) as work:
        try:
            added = issuers.add_issuer(
                work, "hooks" if hooks else "access", issuer, audience, issuer_terms
            )
        except ValueError as error:
            fail(_first_fault(error))
        work.audit("administer", "issuer", added.id)
        print_json(added)


@issuer_commands.command("list")
def list_issuers(organisation: Owner) -> None:
    """Every issuer whose tokens are taken for the organisation."""
    from api.store.accounts import issuers

    with open_transaction(organisation) as work:
        listing = issuers.list_issuers(work)
        work.audit("list", "issuer")
        print_json([issuer.model_dump(mode="json") for issuer in listing])


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

    issuer_terms = _read_terms(terms) if terms else None
    with open_transaction(organisation) as work:
        try:
            updated = issuers.update_issuer(work, issuer, active=active, terms=issuer_terms)
        except ValueError as error:
            fail(_first_fault(error))
        work.audit("administer", "issuer", issuer)
        print_json(updated)


@issuer_commands.command("drop")
def drop_issuer(issuer: IssuerId, organisation: Owner) -> None:
    """Take its tokens no more."""
    from api.store.accounts import issuers

    with open_transaction(organisation) as work:
        issuers.delete_issuer(work, issuer)
        work.audit("administer", "issuer", issuer)


def _read_terms(file: Path) -> "IssuerTerms":
    from pydantic import ValidationError

    from schemas.issuer import IssuerTerms

    try:
        return IssuerTerms.model_validate(json.loads(file.read_bytes()))
    except ValidationError as error:
        faults = [
            f"/{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        ]
        fail("\n".join(faults))
    except ValueError:
        fail("expected JSON")


def _first_fault(error: ValueError) -> str:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    fault: Any = error.errors()[0]
    return f"{'/'.join(map(str, fault['loc']))}: {fault['msg']}"
