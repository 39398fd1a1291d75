"""`nociscreen import`: answers from CSV files of other tools, by a mapping file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from api.cli.context import fail, note, opened, operator

if TYPE_CHECKING:
    from api.importing.csv_reader import Fate, Trouble

TOLD = 200
SOME_ARE_WRONG = 1


class Outcome(NamedTuple):
    """What became of the rows, how many of those that are good carry red flags, and all faults."""

    counts: dict[str, int]
    flagged: int
    troubles: "list[Trouble]"


def import_(
    file: Annotated[Path, typer.Argument(help="The CSV file.")],
    map_: Annotated[Path, typer.Option("--map", help="The mapping file (TOML).")],
    organisation: Annotated[
        str | None, typer.Option("--organisation", help="Whose the screenings will be.")
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Keep nothing; tell what would become of it.")
    ] = False,
) -> None:
    """Keep each row of a file as a screening; a row that was kept already is passed over.

    Exits with 1 where a row could not be read; the others are kept all the same.
    """
    from api.importing.csv_reader import Reading
    from api.importing.mapping import MappingError, read
    from scoring.catalogue import catalogue

    if organisation is None and not dry_run:
        fail("--organisation is needed, or --dry-run")
    try:
        mapping, loaded = read(map_, catalogue())
    except (MappingError, OSError) as error:
        fail(f"{map_}: {error}")
    reading = Reading(file, mapping, loaded, catalogue())
    try:
        outcome = _looked_at(reading) if dry_run else _kept(reading, organisation or "")
    except MappingError as error:
        fail(str(error))
    _tell(reading.fates(), outcome, dry_run=dry_run)
    raise typer.Exit(SOME_ARE_WRONG if outcome.troubles else 0)


def import_sample(
    tool: Annotated[str, typer.Argument(help="google_forms, jotform, redcap or simplepractice.")],
) -> None:
    """Print a mapping file to start from."""
    from api.importing.mapping import samples

    found = samples().get(tool)
    if found is None:
        fail(f"expected one of {', '.join(samples())}")
    typer.echo(found.read_text(encoding="utf-8"), nl=False)


def _looked_at(reading: Any) -> "Outcome":
    """All rows read, none kept."""
    troubles: list[Trouble] = []
    counts = {"good": 0, "doubled": 0, "wrong": 0}
    flagged = 0
    seen: set[str] = set()
    for row in reading.rows():
        troubles += row.troubles
        fate = "wrong" if row.intake is None else "doubled" if row.name in seen else "good"
        counts[fate] += 1
        flagged += fate == "good" and _is_flagged(_scored(row.intake))
        seen.add(row.name)
    return Outcome(counts, flagged, troubles)


def _kept(reading: Any, organisation: str) -> "Outcome":
    """Every row that can be read, each kept in a transaction of its own."""
    from api.store.screenings import imported_rows

    troubles: list[Trouble] = []
    counts = {"kept": 0, "there already": 0, "wrong": 0}
    flagged = 0
    with opened() as store:
        for row in reading.rows():
            troubles += row.troubles
            if row.intake is None:
                counts["wrong"] += 1
                continue
            with store.transaction(operator(organisation)) as work:
                if imported_rows.is_there(work, row.name):
                    counts["there already"] += 1
                    work.audit("import", "row", outcome="there_already")
                    continue
                scored = _scored(row.intake)
                made = imported_rows.keep(work, row.name, scored)
                work.audit("create", "screening", made.id)
            counts["kept"] += 1
            flagged += _is_flagged(scored)
    return Outcome(counts, flagged, troubles)


def _scored(intake: Any) -> Any:
    """What is kept of a row."""
    from api.intakes import reader
    from scoring.catalogue import catalogue

    return reader.kept(catalogue(), intake, intake.patient, "import")


def _is_flagged(scored: Any) -> bool:
    return bool(scored.assessment.safety.flags)


def _tell(fates: "list[Fate]", outcome: Outcome, *, dry_run: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=120)
    table = Table("column", "what becomes of it", "filled", "wrong", box=None, pad_edge=False)
    for each in fates:
        cells = (each.column, each.taken_for, str(each.filled), str(each.troubled))
        table.add_row(*map(Text, cells))
    console.print(table)
    counts, flagged, troubles = outcome
    for trouble in troubles[:TOLD]:
        typer.echo(f"line {trouble.line}, column {trouble.column!r}: expected {trouble.expected}")
    if len(troubles) > TOLD:
        typer.echo(f"and {len(troubles) - TOLD} more")
    typer.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
    if flagged:
        typer.echo(f"{flagged} of these carry red flags: look at them first")
    if dry_run:
        note("nothing was kept: this was a dry run")
