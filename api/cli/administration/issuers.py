"""`nociscreen admin issuer`: manage the external token issuers of an organisation."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import (
    Active,
    OrganisationId,
    fail,
    open_transaction,
    print_json,
    refuse_invalid_input,
)

if TYPE_CHECKING:
    from schemas.organisations.issuer import IssuerKind, IssuerTerms

issuer_commands = typer.Typer(no_args_is_help=True, help="External token issuers.")
IssuerId = Annotated[str, typer.Argument(help="The id of the issuer.")]
Terms = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Issuer terms (JSON).")]


@issuer_commands.command("add")
def add_issuer(
    issuer: Annotated[str, typer.Argument(help="The `iss` of its tokens, a URL.")],
    terms: Terms,
    organisation: OrganisationId,
    audience: Annotated[str, typer.Option(help="The `aud` of its access tokens.")] = "",
    *,
    hooks: Annotated[
        bool, typer.Option("--hooks", help="The issuer is an EHR that calls CDS Hooks.")
    ] = False,
) -> None:
    """Trust an issuer's tokens for one organisation.

    Without --audience and --hooks, the issuer is the FHIR address of an EHR that launches the desk.
    """
    from api.store.accounts import issuers

    if hooks and audience:
        fail("expected --audience or --hooks, not both (the audience of a hook is the called URL)")
    issuer_terms = _read_terms(terms)
    if not (hooks or audience or issuer_terms.client_id):
        fail(
            "expected --audience (it issues access tokens), --hooks (an EHR that calls CDS Hooks) "
            "or a client_id in the terms (an EHR that launches the desk)"
        )
    with open_transaction(organisation) as work, refuse_invalid_input():
        kind: IssuerKind = "hooks" if hooks else "access" if audience else "launch"
        trusted_issuer = issuers.add_issuer(work, kind, issuer, audience, issuer_terms)
        work.audit("administer", "issuer", trusted_issuer.id)
        print_json(trusted_issuer)


@issuer_commands.command("list")
def list_issuers(organisation: OrganisationId) -> None:
    """List the issuers that the organisation trusts."""
    from api.store.accounts import issuers

    with open_transaction(organisation) as work:
        print_json(issuers.list_issuers(work))
        work.audit("list", "issuer")


@issuer_commands.command("change")
def change_issuer(
    issuer: IssuerId,
    organisation: OrganisationId,
    terms: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="New issuer terms (JSON).")
    ] = None,
    *,
    active: Active = None,
) -> None:
    """Activate or deactivate an issuer, or replace its terms; applies from the next request."""
    from api.store.accounts import issuers

    issuer_terms = _read_terms(terms) if terms else None
    with open_transaction(organisation) as work, refuse_invalid_input():
        updated = issuers.update_issuer(work, issuer, active=active, terms=issuer_terms)
        work.audit("administer", "issuer", issuer)
        print_json(updated)


@issuer_commands.command("remove")
def remove_issuer(issuer: IssuerId, organisation: OrganisationId) -> None:
    """Remove an issuer; its tokens are no longer accepted."""
    from api.store.accounts import issuers

    with open_transaction(organisation) as work:
        issuers.delete_issuer(work, issuer)
        work.audit("administer", "issuer", issuer)


def _read_terms(file: Path) -> "IssuerTerms":
    from schemas.organisations.issuer import IssuerTerms

    try:
        content = json.loads(file.read_bytes())
    except ValueError:
        fail("expected JSON")
    with refuse_invalid_input():
        return IssuerTerms.model_validate(content)
