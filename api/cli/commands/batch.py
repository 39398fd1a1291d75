"""`nociscreen batch`: score a file of intakes and write a file of results."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import fail, print_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.batch_scoring.local_run import BatchRun, RunProgress
    from schemas.batch import BatchSummary
    from scoring.compiled_rulebook import LoadedRulebook

SOME_ROWS_BAD = 1
SHOWN_PROBLEMS = 20
INTERRUPTED = 130
SECONDS_BETWEEN_LINES = 10
ENCODINGS = {"utf-8": "utf-8", "utf8": "utf-8", "latin-1": "latin-1", "cp1252": "cp1252"}


def batch(  # noqa: PLR0913, PLR0917 - Typer passes each option as a parameter
    source: Annotated[
        str | None,
        typer.Argument(metavar="IN", help="A file, a quoted pattern, or - for standard input."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="Output file, or - for standard output.")
    ] = None,
    rulebook: Annotated[
        str, typer.Option(help="An instrument, or instrument@version.")
    ] = "nociplastic",
    mapping: Annotated[
        Path | None,
        typer.Option(
            help='TOML or JSON: "column in the file" = "expected column".', dir_okay=False
        ),
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="Input format: csv, ndjson, parquet, csv.gz ...")
    ] = None,
    output_format: Annotated[str | None, typer.Option(help="Output format.")] = None,
    encoding: Annotated[str, typer.Option(help="CSV encoding: utf-8, latin-1, cp1252.")] = "utf-8",
    summary_json: Annotated[
        Path | None, typer.Option(help="Write the summary to this file.", dir_okay=False)
    ] = None,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add an explanation for each criterion.")
    ] = False,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Ignore unknown columns.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    template: Annotated[
        bool, typer.Option("--template", help="Write an empty CSV file with all columns.")
    ] = False,
    codebook: Annotated[
        bool, typer.Option("--codebook", help="Write a codebook of the columns and options (CSV).")
    ] = False,
) -> None:
    """Score a file of intakes.

    Exit status: 0 all rows scored, 1 some rows had problems, 2 unusable input.
    """
    if encoding.lower() not in ENCODINGS:
        fail("--encoding: expected utf-8, latin-1 or cp1252")
    loaded = _load_rulebook(rulebook)
    if template or codebook:
        _write_template(loaded, out, codebook=codebook)
        return
    if source is None or out is None:
        fail("IN and --out are required")
    from api.batch_scoring.column_names import ColumnNames, load_column_mapping
    from api.batch_scoring.file_formats import UnusableInputError
    from api.batch_scoring.local_run import BatchRun
    from scoring.columns import compile_column_rules

    try:
        own_names = load_column_mapping(mapping) if mapping else {}
        request = BatchRun(
            source,
            out,
            compile_column_rules(loaded),
            ColumnNames(loaded, own_names, ignore_unknown=ignore_unknown),
            explain=explain,
            input_format=format_,
            output_format=output_format,
            encoding=ENCODINGS[encoding.lower()],
            resume=resume,
        )
        summary = _run(request)
    except UnusableInputError as error:
        fail(f"{error} ({error.option})" if error.option else str(error))
    except OSError as error:
        fail(f"a file cannot be read or written: {error.strerror}")
    except KeyboardInterrupt:
        print_note("interrupted; continue with --resume")
        raise typer.Exit(INTERRUPTED) from None
    _print_summary(summary)
    if summary_json:
        _write_file(summary_json, summary.model_dump_json(indent=2))
    if summary.rows_with_problems:
        raise typer.Exit(SOME_ROWS_BAD)


def _load_rulebook(name: str) -> "LoadedRulebook":
    from scoring.catalogue import UnknownRulebookError, load_catalogue

    try:
        return load_catalogue().find_active(name)
    except UnknownRulebookError as error:
        fail(f"--rulebook: {error}")


def _run(request: "BatchRun") -> "BatchSummary":
    from api.batch_scoring.local_run import run_batch

    if not sys.stderr.isatty():
        return run_batch(request, _line_printer())
    from api.cli.progress_bar import show_progress

    with show_progress() as on_step:
        return run_batch(request, on_step)


def _line_printer() -> "Callable[[RunProgress], None]":
    from time import monotonic

    started_at = last_printed_at = monotonic()

    def on_step(step: "RunProgress") -> None:
        nonlocal last_printed_at
        now = monotonic()
        if now - last_printed_at >= SECONDS_BETWEEN_LINES:
            last_printed_at = now
            print_note(f"{step.rows:,} rows, {step.rows / (now - started_at):,.0f} a second")

    return on_step


def _print_summary(summary: "BatchSummary") -> None:
    for problem in summary.problems[:SHOWN_PROBLEMS]:
        print_note(problem.message)
    if summary.rows_with_problems:
        print_note(f"{summary.rows_with_problems:,} rows had problems; see the column `problems`")
    print_note(f"{summary.rows:,} rows scored by {summary.rulebook}")
    for title, counts in (
        ("status", summary.by_status),
        ("band", summary.by_band),
        ("tier", summary.by_tier),
    ):
        if counts:
            print_note(f"{title}: " + ", ".join(f"{name} {n:,}" for name, n in counts.items()))


def _write_template(loaded: "LoadedRulebook", out: str | None, *, codebook: bool) -> None:
    from api.batch_scoring.codebook import render_codebook_csv, render_template_csv

    render = render_codebook_csv if codebook else render_template_csv
    text = render(loaded.rulebook)
    if out is None or out == "-":
        typer.echo(text, nl=False)
    else:
        _write_file(Path(out), text)


def _write_file(file: Path, text: str) -> None:
    from api.batch_scoring.checkpoints import write_atomically

    try:
        write_atomically(file, text.encode())
    except OSError as error:
        fail(f"{file.name} cannot be written: {error.strerror}")
