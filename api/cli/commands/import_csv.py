"""`nociscreen import`: store answers from another tool's CSV file, using a mapping file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from api.cli.context import build_operator, fail, open_configured_store, print_note

if TYPE_CHECKING:
    from api.importing.csv_reader import ColumnUse, ImportProblem, ImportReader
    from api.store.screenings.screenings import ScoredIntake

SHOWN_PROBLEMS = 200
SOME_ROWS_BAD = 1


class _ImportResult(NamedTuple):
    """Rows by outcome, how many of the readable ones carry red flags, and every problem."""

    counts: dict[str, int]
    flagged: int
    problems: "list[ImportProblem]"


def import_answers(
    file: Annotated[Path, typer.Argument(help="The CSV file.")],
    mapping_file: Annotated[Path, typer.Option("--mapping", help="The mapping file (TOML).")],
    organisation: Annotated[
        str | None,
        typer.Option("--organisation", help="The organisation that will own the screenings."),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file without storing anything.")
    ] = False,
) -> None:
    """Import each row as a screening; rows imported earlier are skipped.

    Exits with 1 if a row is invalid; the other rows are stored.
    """
    from api.importing.csv_reader import ImportReader
    from api.importing.mapping import MappingError, load_mapping
    from scoring.catalogue import load_catalogue

    if organisation is None and not dry_run:
        fail("--organisation or --dry-run is required")
    try:
        mapping, loaded = load_mapping(mapping_file, load_catalogue())
    except (MappingError, OSError) as error:
        fail(f"{mapping_file}: {error}")
    reading = ImportReader(file, mapping, loaded, load_catalogue())
    try:
        result = _check_rows(reading) if dry_run else _store_rows(reading, organisation or "")
    except MappingError as error:
        fail(str(error))
    _print_result(reading.list_column_uses(), result, dry_run=dry_run)
    raise typer.Exit(SOME_ROWS_BAD if result.problems else 0)


def print_sample(
    tool: Annotated[str, typer.Argument(help="google_forms, jotform, redcap or simplepractice.")],
) -> None:
    """Print a mapping file to start from."""
    from api.importing.mapping import list_sample_mappings

    sample = list_sample_mappings().get(tool)
    if sample is None:
        fail(f"expected one of {', '.join(list_sample_mappings())}")
    typer.echo(sample.read_text(encoding="utf-8"), nl=False)


def _check_rows(reading: "ImportReader") -> _ImportResult:
    problems: list[ImportProblem] = []
    counts = {"valid": 0, "duplicate": 0, "invalid": 0}
    flagged = 0
    row_names: set[str] = set()
    for row in reading.read_rows():
        problems += row.problems
        is_duplicate = row.name in row_names
        outcome = "invalid" if row.intake is None else "duplicate" if is_duplicate else "valid"
        counts[outcome] += 1
        flagged += outcome == "valid" and bool(_score_row(row.intake).assessment.safety.flags)
        row_names.add(row.name)
    return _ImportResult(counts, flagged, problems)


def _store_rows(reading: "ImportReader", organisation: str) -> _ImportResult:
    from api.store.screenings import imported_rows

    problems: list[ImportProblem] = []
    counts = {"stored": 0, "already stored": 0, "invalid": 0}
    flagged = 0
    with open_configured_store() as store:
        for row in reading.read_rows():
            problems += row.problems
            if row.intake is None:
                counts["invalid"] += 1
                continue
            with store.transaction(build_operator(organisation)) as work:
                if imported_rows.is_imported(work, row.name):
                    counts["already stored"] += 1
                    work.audit("import", "row", outcome="there_already")
                    continue
                scored = _score_row(row.intake)
                screening = imported_rows.add_imported_screening(work, row.name, scored)
                work.audit("create", "screening", screening.id)
            counts["stored"] += 1
            flagged += bool(scored.assessment.safety.flags)
    return _ImportResult(counts, flagged, problems)


def _score_row(intake: Any) -> "ScoredIntake":
    from api.intakes import reader
    from scoring.catalogue import load_catalogue

    return reader.score_intake(load_catalogue(), intake, intake.patient, "import")


def _print_result(columns: "list[ColumnUse]", result: _ImportResult, *, dry_run: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=120)
    table = Table("column", "used as", "filled", "invalid", box=None, pad_edge=False)
    for column in columns:
        cells = (column.column, column.used_as, str(column.filled_cells), str(column.faulty))
        table.add_row(*map(Text, cells))
    console.print(table)
    counts, flagged, problems = result
    for problem in problems[:SHOWN_PROBLEMS]:
        typer.echo(
            f"line {problem.line}, column {problem.column!r}: expected {problem.expected_value}"
        )
    if len(problems) > SHOWN_PROBLEMS:
        typer.echo(f"and {len(problems) - SHOWN_PROBLEMS} more")
    typer.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
    if flagged:
        typer.echo(f"{flagged} of these have red flags: review them first")
    if dry_run:
        print_note("dry run: nothing was stored")
