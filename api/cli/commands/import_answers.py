"""`nociscreen import`: store the answers in a file as screenings."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.context import build_operator, fail, open_configured_store, print_note

if TYPE_CHECKING:
    from api.importing.import_reader import ColumnUse, ImportReader, ImportRow
    from api.store.screenings.scored_intake import ScoredIntake
    from api.store.transaction import Transaction
    from schemas.batches.batch import RowProblem
    from scoring.compiled_rulebook import LoadedRulebook

SHOWN_PROBLEMS = 200
SHOWN_CHANGES = 20
SOME_ROWS_BAD = 1


class _ImportResult:
    """Rows by outcome, how many carry red flags, which rows were not taken, and every problem."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts
        self.flagged = 0
        self.changed_places: list[str] = []
        self.flagged_changes = 0
        self.problems: list[RowProblem] = []

    @property
    def is_clean(self) -> bool:
        """Whether every row was taken or is there already."""
        return not self.problems and not self.changed_places

    def count(self, row: "ImportRow", outcome: str, scored: "ScoredIntake | None" = None) -> None:
        """Count a row with this outcome."""
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        is_flagged = scored is not None and bool(scored.assessment.safety.flags)
        if outcome in {"valid", "stored", "amended"}:
            self.flagged += is_flagged
        if outcome == "changed":
            self.changed_places.append(row.place)
            self.flagged_changes += is_flagged


class _RowScorer:
    """Scores rows under the version of the mapping, or carries their answers to another one.

    It counts the rows by question to ask again, and lists the new options that were not asked.
    """

    def __init__(self, loaded: "LoadedRulebook", target: "LoadedRulebook | None") -> None:
        self._loaded, self._target = loaded, target
        self.ask_again: Counter[str] = Counter()
        self.options_not_asked: dict[str, tuple[str, ...]] = {}

    def score(self, intake: Any) -> "ScoredIntake":
        """Return the scored intake of a row."""
        from api.intakes import reader

        if self._target is None:
            submission = reader.Submission(
                intake.patient, intake.context, "import", attested=intake.attested
            )
            return reader.score_answers(self._loaded, intake.answers, submission)
        scored, carried_answers = reader.rescore_intake(
            self._loaded, self._target, intake, "import"
        )
        self.ask_again.update(it.question for it in carried_answers.ask_again)
        self.options_not_asked |= carried_answers.options_not_asked
        return scored


def import_answers(  # noqa: PLR0913, PLR0917 - Typer passes each option as a parameter
    file: Annotated[
        str,
        typer.Argument(help="A file, folder or quoted pattern that `nociscreen batch` reads."),
    ],
    mapping_file: Annotated[
        Path | None, typer.Option("--mapping", "--map", help="The mapping file (TOML).")
    ] = None,
    organisation: Annotated[
        str | None,
        typer.Option("--organisation", help="The organisation that will own the screenings."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="Carry the answers to this version (instrument@version) and store them under it.",
        ),
    ] = None,
    rulebook: Annotated[
        str, typer.Option(help="The instrument, or instrument@version, if no mapping names it.")
    ] = "nociplastic",
    format_: Annotated[
        str | None, typer.Option("--format", help="Input format: csv, ndjson, xlsx, csv.gz ...")
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(help="The sheet of a workbook. The first by default.")
    ] = None,
    *,
    amend: Annotated[
        bool,
        typer.Option("--amend", help="Store a row that has changed as an amendment."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file without storing anything.")
    ] = False,
) -> None:
    """Import each row as a screening; rows imported earlier are skipped.

    Without a mapping, the columns are question ids, patient_reference, row_id and answered_on.

    With --to, the answers are scored under another version than that of the mapping. What could not
    be carried is left unanswered and listed.

    Exits with 1 if a row is invalid, or has changed since it was imported; the others are stored.
    """
    from api.batch_scoring.file_formats import UnusableInputError
    from api.batch_scoring.input_files import ReadOptions
    from api.batch_scoring.mapping.mapping_file import MappingError
    from api.cli.batch_reading import build_import_reading
    from api.importing.import_reader import ImportReader

    if organisation is None and not dry_run:
        fail("--organisation or --dry-run is required")
    try:
        loaded, options = build_import_reading(rulebook, mapping_file, ReadOptions(sheet=sheet))
        if to is None:
            _require_active(loaded)
        reading = ImportReader(file, loaded, options, format_)
        scorer = _RowScorer(loaded, None if to is None else _find_target(loaded, to))
        result = (
            _check_rows(reading, scorer)
            if dry_run
            else _store_rows(reading, scorer, organisation or "", amend=amend)
        )
    except (MappingError, UnusableInputError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or file} cannot be read: {error.strerror or error}")
    _print_result(reading.list_column_uses(), result, dry_run=dry_run)
    _print_notices(reading)
    _print_carried(scorer)
    raise typer.Exit(0 if result.is_clean and reading.is_clean else SOME_ROWS_BAD)


def print_sample(
    tool: Annotated[
        str,
        typer.Argument(
            help="google_forms, jotform, limesurvey, qualtrics, redcap or simplepractice."
        ),
    ],
) -> None:
    """Print a mapping file to start from."""
    from api.importing.samples import list_sample_mappings

    sample = list_sample_mappings().get(tool)
    if sample is None:
        fail(f"expected one of {', '.join(list_sample_mappings())}")
    typer.echo(sample.read_text(encoding="utf-8"), nl=False)


def _require_active(loaded: "LoadedRulebook") -> None:
    from scoring.catalogue import UnknownRulebookError, load_catalogue

    try:
        load_catalogue().find_active(loaded.name)
    except UnknownRulebookError:
        fail(f"{loaded.name} is retired: --to names the version to carry the answers to")


def _find_target(loaded: "LoadedRulebook", name: str) -> "LoadedRulebook":
    from scoring.catalogue import UnknownRulebookError, load_catalogue
    from scoring.versions.answer_changes import can_carry_answers

    try:
        target = load_catalogue().find_active(name)
    except UnknownRulebookError as error:
        fail(f"--to: {error}")
    if not can_carry_answers(loaded, target):
        fail(f"--to: answers are not carried from {loaded.name} to {target.name}")
    return target


def _check_rows(reading: "ImportReader", scorer: _RowScorer) -> _ImportResult:
    result = _ImportResult({"valid": 0, "duplicate": 0, "invalid": 0})
    answers_by_row: dict[str, Any] = {}
    for row in reading.read_rows():
        result.problems += row.problems
        if row.intake is None or row.is_empty:
            result.count(row, "invalid" if row.intake is None else "empty")
            continue
        scored = scorer.score(row.intake)
        content = _list_answers(scored)
        earlier_content = answers_by_row.setdefault(row.name, content)
        outcome = "valid" if earlier_content is content else "duplicate"
        result.count(row, outcome if earlier_content == content else "changed", scored)
    return result


def _store_rows(
    reading: "ImportReader", scorer: _RowScorer, organisation: str, *, amend: bool
) -> _ImportResult:
    result = _ImportResult({"stored": 0, "already stored": 0, "invalid": 0})
    with open_configured_store() as store:
        for row in reading.read_rows():
            result.problems += row.problems
            if row.intake is None or row.is_empty:
                result.count(row, "invalid" if row.intake is None else "empty")
                continue
            with store.transaction(build_operator(organisation)) as work:
                scored = scorer.score(row.intake)
                result.count(row, _store_row(work, row, scored, amend=amend), scored)
    return result


def _store_row(
    work: "Transaction", row: "ImportRow", scored: "ScoredIntake", *, amend: bool
) -> str:
    """Store a row unless it is stored already, and return what was done with it."""
    from api.store.screenings import imported_rows, screenings

    earlier = imported_rows.find_imported_screening(work, row.name)
    if earlier is None:
        screening = imported_rows.add_imported_screening(work, row.name, scored)
        work.audit("create", "screening", screening.id)
        return "stored"
    if earlier.answers in (_list_answers(scored), row.intake.answers.model_dump(mode="json")):
        work.audit("import", "row", outcome="there_already")
        return "already stored"
    if not amend:
        work.audit("import", "row", outcome="there_already")
        return "changed"
    screening = screenings.amend_screening(work, earlier, scored)
    work.audit("amend", "screening", screening.id)
    return "amended"


def _list_answers(scored: "ScoredIntake") -> Any:
    """Return the answers as they are stored."""
    return json.loads(json.dumps(scored.answers))


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
    problems = result.problems
    for problem in problems[:SHOWN_PROBLEMS]:
        typer.echo(problem.message)
    if len(problems) > SHOWN_PROBLEMS:
        typer.echo(f"and {len(problems) - SHOWN_PROBLEMS} more")
    typer.echo(", ".join(f"{count} {name}" for name, count in result.counts.items()))
    if result.flagged:
        typer.echo(f"{result.flagged} of these have red flags: review them first")
    if result.changed_places:
        typer.echo(_describe_changes(result))
    if dry_run:
        print_note("dry run: nothing was stored")


def _describe_changes(result: _ImportResult) -> str:
    places = ", ".join(result.changed_places[:SHOWN_CHANGES])
    more = " ..." if len(result.changed_places) > SHOWN_CHANGES else ""
    text = (
        f"{len(result.changed_places)} rows have the name of an earlier row and other answers, and "
        f"were not taken: {places}{more}"
    )
    if result.flagged_changes:
        text += f"; {result.flagged_changes} of them have red flags: review them first"
    return f"{text}. If they are visits of their own, name the visit in `row`; else use --amend"


def _print_notices(reading: "ImportReader") -> None:
    for line in (*reading.notes, *(notice.message for notice in reading.list_notices())):
        print_note(line)
    if reading.blank_lines:
        print_note(f"{reading.blank_lines:,} blank lines were skipped")


def _print_carried(scorer: _RowScorer) -> None:
    if scorer.ask_again:
        questions = ", ".join(f"{name} ({n})" for name, n in scorer.ask_again.most_common())
        typer.echo(f"to be asked again, with the number of rows: {questions}")
    for question, options in scorer.options_not_asked.items():
        typer.echo(f"new options of {question} that were not asked: {', '.join(options)}")
