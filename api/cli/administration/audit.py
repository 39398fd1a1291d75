"""`nociscreen audit`: verify and export the audit chains and print checkpoints."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import OrganisationId, build_operator, fail, open_configured_store, print_note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.store.audit.chain import AuditKey
    from api.store.database.tenancy import OrganisationSession
    from api.store.store import Store
    from schemas.organisations.audit import Checkpoint

commands = typer.Typer(no_args_is_help=True, help="Verify and export the audit trail.")
AnyOrganisation = Annotated[
    str | None, typer.Option("--organisation", help="One organisation; all if omitted.")
]
TAMPERED = 1


@commands.command()
def verify(
    organisation: AnyOrganisation = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            "--checkpoints",
            exists=True,
            dir_okay=False,
            help="Earlier output of `audit checkpoint`, one checkpoint per line.",
        ),
    ] = None,
) -> None:
    """Print each changed, deleted or inserted row, and each missing organisation.

    Exit status 1 if there is any, or if there is no organisation at all.
    """
    from api.store.audit import chain

    known_checkpoints = _read_checkpoints(checkpoints) if checkpoints else ()
    is_tampered = False
    with open_configured_store() as store, store.read_all_organisations() as session:
        if organisation is None:
            for line in _list_missing_organisations(session, known_checkpoints):
                is_tampered = True
                typer.echo(line)
        for key in load_audit_keys(store, session, organisation):
            own = tuple(item for item in known_checkpoints if item.organisation == key.organisation)
            faults = chain.verify_chain(session, key, own)
            is_tampered = is_tampered or bool(faults)
            for fault in faults:
                until = f" to {fault.until}" if fault.until else ""
                typer.echo(f"{key.organisation}: row {fault.seq}{until}: {fault.what}")
            if not faults:
                rows = chain.create_checkpoint(session, key, datetime.now(UTC)).seq
                typer.echo(f"{key.organisation}: {rows} rows verified")
    raise typer.Exit(TAMPERED if is_tampered else 0)


@commands.command()
def checkpoint(organisation: AnyOrganisation = None) -> None:
    """Print a checkpoint of each chain. Store it away from the database: it reveals truncation."""
    from api.store.audit import chain

    with open_configured_store() as store, store.read_all_organisations() as session:
        for key in load_audit_keys(store, session, organisation):
            typer.echo(chain.create_checkpoint(session, key, datetime.now(UTC)).model_dump_json())


@commands.command()
def export(
    organisation: OrganisationId,
    format_: Annotated[
        str, typer.Option("--format", help="ndjson, or fhir for AuditEvents.")
    ] = "ndjson",
    after: Annotated[int, typer.Option(min=0, help="Skip rows up to this number.")] = 0,
) -> None:
    """Print the audit rows, one per line, oldest first."""
    from api.fhir.resources.audit_event import format_audit_event
    from api.store.audit import chain

    if format_ not in ("ndjson", "fhir"):
        fail("--format must be ndjson or fhir")
    count = 0
    with open_configured_store() as store:
        with store.read_all_organisations() as session:
            for row in chain.read_entries(session, organisation, after=after):
                is_fhir = format_ == "fhir"
                typer.echo(
                    format_audit_event(row, organisation) if is_fhir else row.model_dump_json()
                )
                count += 1
        with store.transaction(build_operator(organisation)) as work:
            work.audit("export", "audit", count=max(count, 1))
    print_note(f"{count} rows")


def _list_missing_organisations(
    session: "OrganisationSession", checkpoints: "tuple[Checkpoint, ...]" = ()
) -> "Iterator[str]":
    """Yield a line for each organisation that is missing, or one if there is none."""
    from api.store.accounts import organisations

    present = {row.id for row in organisations.list_organisations(session)}
    if not present:
        yield "there is no organisation: nothing of a practice is stored here"
    known_ids = {item.organisation for item in checkpoints} - {organisations.SYSTEM}
    for missing in sorted(
        {*organisations.list_missing_organisations(session), *known_ids} - present
    ):
        yield f"{missing}: the organisation is missing"


def load_audit_keys(
    store: "Store", session: "OrganisationSession", organisation: str | None = None
) -> "list[AuditKey]":
    """Return the audit key of one organisation, or of all; exit 2 if it is unknown."""
    from api.store.accounts import organisations

    if organisation:
        ids = [organisation]
    else:
        ids = [organisations.SYSTEM, *(row.id for row in organisations.list_organisations(session))]
    key_sets = [store.organisation_keys.load_keys(session, id_) for id_ in ids]
    if None in key_sets:
        fail("no organisation with this id")
    return [key_set.audit for key_set in key_sets if key_set is not None]


def _read_checkpoints(file: Path) -> "tuple[Checkpoint, ...]":
    from schemas.organisations.audit import Checkpoint

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return tuple(Checkpoint.model_validate_json(line) for line in lines if line)
    except ValueError:
        fail(f"{file.name}: each line must be a checkpoint printed by `audit checkpoint`")
