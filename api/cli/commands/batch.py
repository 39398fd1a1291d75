"""`nociscreen batch`: score a file of intakes and write a file of results."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.batch_summary import print_summary
from api.cli.context import fail, print_note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.batch_scoring.local_run import BatchRun, RunProgress
    from schemas.batches.batch import BatchSummary
    from scoring.compiled_rulebook import LoadedRulebook

SOME_ROWS_BAD = 1
INTERRUPTED = 130
SECONDS_BETWEEN_LINES = 10


def batch(  # noqa: PLR0913, PLR0917 - Typer passes each option as a parameter
    source: Annotated[
        str | None,
        typer.Argument(metavar="IN", help="A file, folder or quoted pattern; - for standard input"),
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
            "--mapping",
            "--map",
            help='A mapping file, or a table "column in the file" = "expected column".',
            dir_okay=False,
        ),
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="Input format: csv, ndjson, xlsx, csv.gz ...")
    ] = None,
    output_format: Annotated[
        str | None, typer.Option(help="Output format: csv, ndjson, parquet, xlsx, sav.")
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="CSV encoding: utf-8, utf-16, cp1252, latin-1. Detected by default."),
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="CSV separator: one character. Detected by default.")
    ] = None,
    header_line: Annotated[
        int, typer.Option(min=1, help="The line of the header; lines above are skipped.")
    ] = 1,
    skip_rows: Annotated[int, typer.Option(min=0, help="Rows to skip below the header.")] = 0,
    sheet: Annotated[
        str | None, typer.Option(help="The sheet of a workbook. The first by default.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="A column to return with the results. Repeatable, or a,b,c."),
    ] = None,
    missing: Annotated[
        list[str] | None,
        typer.Option(
            help="A word or code that means: not answered, such as NA or -99. Repeatable."
        ),
    ] = None,
    summary_json: Annotated[
        Path | None, typer.Option(help="Write the summary to this file.", dir_okay=False)
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a page with the counts of the cohort (HTML).", dir_okay=False),
    ] = None,
    locale: Annotated[
        str, typer.Option("--locale", "--language", help="The language of the cohort: en, de, es.")
    ] = "en",
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
    results_codebook: Annotated[
        bool, typer.Option("--results-codebook", help="Write a codebook of the results (CSV).")
    ] = False,
) -> None:
    """Score a file of intakes.

    Exit status: 0 everything was read and is good, 1 something was not read, or rows have problems
    or should be looked at, 2 unusable input.
    """
    loaded = _load_rulebook(rulebook)
    if template or codebook or results_codebook:
        _write_description(loaded, out, codebook=codebook, results=results_codebook)
        return
    if source is None or out is None:
        fail("IN and --out are required")
    from api.batch_scoring.cohort.cohort_texts import list_cohort_languages
    from api.batch_scoring.file_formats import UnusableInputError
    from api.batch_scoring.input_files import ReadOptions
    from api.batch_scoring.local_run import BatchRun
    from api.batch_scoring.readers.csv import CsvOptions
    from api.batch_scoring.readers.text_decoding import require_encoding
    from api.cli.batch_reading import ColumnOptions, build_reading
    from scoring.columns import compile_column_rules

    if locale not in list_cohort_languages():
        fail(f"--locale: expected one of {', '.join(list_cohort_languages())}")
    try:
        found_encoding = require_encoding(encoding) if encoding else None
        if delimiter is not None and len(delimiter) != 1:
            fail("--delimiter: expected one character")
        options = CsvOptions(found_encoding, delimiter, header_line, skip_rows)
        _refuse_same_files(source, [out, summary_json, report], [mapping])
        if out != "-" and not Path(out).absolute().parent.is_dir():
            fail(f"{out} cannot be written: its folder does not exist")
        columns = ColumnOptions(
            mapping,
            tuple(name for names in keep or () for name in names.split(",")),
            tuple(missing or ()),
            ignore_unknown=ignore_unknown,
        )
        names, loaded, read_options = build_reading(loaded, columns, ReadOptions(options, sheet))
        request = BatchRun(
            source,
            out,
            compile_column_rules(loaded),
            names,
            explain=explain,
            input_format=format_,
            output_format=output_format,
            read_options=read_options,
            resume=resume,
            language=locale,
        )
        summary = _run(request)
    except UnusableInputError as error:
        fail(f"{error} ({error.option})" if error.option else str(error))
    except OSError as error:
        fail(f"{error.filename or 'a file'} cannot be read or written: {error.strerror or error}")
    except KeyboardInterrupt:
        print_note("interrupted; continue with --resume")
        raise typer.Exit(INTERRUPTED) from None
    print_summary(summary)
    _write_summary(summary, summary_json, report)
    if not summary.is_clean:
        raise typer.Exit(SOME_ROWS_BAD)


def _load_rulebook(name: str) -> "LoadedRulebook":
    from scoring.catalogue import UnknownRulebookError, load_catalogue

    try:
        return load_catalogue().find_active(name)
    except UnknownRulebookError as error:
        fail(f"--rulebook: {error}")


def _refuse_same_files(
    source: str, written_files: "Sequence[str | Path | None]", read: "Sequence[Path | None]"
) -> None:
    from api.batch_scoring.file_formats import expand_pattern
    from api.batch_scoring.input_files import refuse_same_files

    inputs = [*expand_pattern(source), *(str(file) for file in read if file)]
    refuse_same_files(inputs, [str(file) for file in written_files if file])


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


def _write_summary(summary: "BatchSummary", summary_json: Path | None, report: Path | None) -> None:
    if summary_json:
        _write_file(summary_json, summary.model_dump_json(indent=2))
    if report and summary.cohort:
        from api.batch_scoring.cohort.cohort_page import render_cohort_page

        _write_file(report, render_cohort_page(summary.cohort))


def _write_description(
    loaded: "LoadedRulebook", out: str | None, *, codebook: bool, results: bool
) -> None:
    from api.batch_scoring.input_codebook import render_codebook_csv, render_template_csv
    from api.batch_scoring.output.results_codebook import render_results_codebook_csv

    if results:
        text = render_results_codebook_csv(loaded)
    else:
        text = (render_codebook_csv if codebook else render_template_csv)(loaded.rulebook)
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
