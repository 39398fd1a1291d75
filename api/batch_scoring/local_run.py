"""Runs a batch from files to one output file, with checkpoints, so that a run can resume.

The output appears only when the whole run has succeeded.
"""

import sys
import zlib
from collections.abc import Callable, Generator
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import polars as pl

from api.batch_scoring.checkpoints import (
    Checkpoints,
    FinishedPart,
    PartSummary,
    RunMismatchError,
    read_files,
)
from api.batch_scoring.chunk_scorer import build_empty_results, score_frame
from api.batch_scoring.cohort.visits import encode_visits
from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.counts.row_keys import encode_row_keys
from api.batch_scoring.counts.run_summary import summarise_part, summarise_run
from api.batch_scoring.file_formats import (
    MERGED_FORMATS,
    STANDARD_STREAM,
    FileFormat,
    UnusableInputError,
    detect_output_format,
)
from api.batch_scoring.input_files import (
    InputFile,
    ReadOptions,
    describe_unread_files,
    find_input_files,
    read_pieces,
    refuse_same_files,
)
from api.batch_scoring.mapping.mapping_file import ImportMapping
from api.batch_scoring.output.output_file import encode_part, merge_parts
from api.batch_scoring.read_ahead import read_ahead, write_behind
from api.batch_scoring.readers.base import ParsedRows
from api.batch_scoring.readers.partitions import add_partitions, list_partition_columns
from schemas.batches.batch import SOURCE_FILE_COLUMN, SOURCE_LINE_COLUMN, BatchSummary
from schemas.patients.patient import find_latest_day
from scoring.columns import ColumnRules


class BatchRun(NamedTuple):
    """The options of a run: a file, a pattern or `-` as input, a file or `-` as output.

    `partition_columns` are those that the folders of its input name; `language` is that of the
    cohort. A date after `today` is implausible; None means today.
    """

    source: str
    output: str
    rules: ColumnRules
    names: ColumnNames
    explain: bool = False
    input_format: str | None = None
    output_format: str | None = None
    read_options: ReadOptions = ReadOptions()
    resume: bool = False
    partition_columns: tuple[str, ...] = ()
    language: str = "en"
    today: date | None = None

    @property
    def keep(self) -> tuple[str, ...]:
        """The columns to return with the results."""
        return (*self.names.keep, *self.partition_columns)


class RunProgress(NamedTuple):
    """The progress of a run: rows done, bytes read, and bytes in total (None if unknown)."""

    rows: int
    bytes_read: int
    total_bytes: int | None


def run_batch(
    batch: BatchRun, on_progress: Callable[[RunProgress], None] = lambda _: None
) -> BatchSummary:
    """Score every row and write the results to the output.

    Raises UnusableInputError, and OSError if a file cannot be read or written.
    """
    if batch.source == STANDARD_STREAM and batch.resume:
        raise UnusableInputError("--resume is not possible with standard input")
    mapping = batch.read_options.mapping
    if batch.resume and mapping is not None and mapping.shared is not None:
        raise UnusableInputError("--resume is not possible with `shared` columns of a mapping")
    inputs = find_input_files(batch.source, batch.input_format)
    columns = list_partition_columns(
        [file.partitions for file in inputs], batch.rules.loaded, batch.names.keep
    )
    batch = batch._replace(partition_columns=columns)
    refuse_same_files([file.name for file in inputs], [batch.output])
    output = detect_output_format(batch.output, batch.output_format)
    if batch.output == STANDARD_STREAM and output.format in MERGED_FORMATS:
        with TemporaryDirectory() as folder:
            file = Path(folder) / f"out.{output.format}"
            summary = run_batch(batch._replace(output=str(file), output_format=None), on_progress)
            sys.stdout.buffer.writelines(read_files([file]))
        return summary
    if batch.output == STANDARD_STREAM:
        stream = _StandardOutput()
        summaries = _score_parts(batch, inputs, output, stream, on_progress)
        return _summarise(batch, summaries, stream)
    parts = Checkpoints(
        Path(batch.output), ".arrow" if output.format in MERGED_FORMATS else ".part"
    )
    try:
        parts.open_run(_run_identity(batch, inputs, output), resume=batch.resume)
        summaries = _score_parts(batch, inputs, output, parts, on_progress)
    except RunMismatchError:
        raise UnusableInputError(
            "the run cannot resume: the input, rulebook or options have changed; "
            "omit --resume to start again"
        ) from None
    except UnusableInputError:
        parts.delete()
        raise
    summary = _summarise(batch, summaries, parts)
    merge_parts(output, parts, Path(batch.output), batch.rules.loaded)
    parts.delete()
    return summary


def _summarise(
    batch: BatchRun, summaries: list[PartSummary], parts: "Checkpoints | _StandardOutput"
) -> BatchSummary:
    summary = summarise_run(batch.rules, summaries, parts, batch.language)
    notes = (*summary.notes, *describe_unread_files(batch.source))
    return summary.model_copy(update={"notes": notes})


def _run_identity(batch: BatchRun, inputs: list[InputFile], output: FileFormat) -> dict[str, Any]:
    """Return the inputs and options that must be unchanged for a run to resume."""
    stats = [(file.name, Path(file.name).stat()) for file in inputs if file.name != STANDARD_STREAM]
    return {
        "inputs": [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats],
        "formats": [[*file.file_format] for file in inputs],
        "to": [*output],
        "rulebook": batch.rules.loaded.sha256,
        "mapping": batch.names.mapping,
        "ignore_unknown": batch.names.ignore_unknown,
        "explain": batch.explain,
        "keep": [batch.names.keep, batch.names.missing.words],
        "read": batch.read_options._replace(mapping=None, translate_resource=None),
        "question_mapping": _dump_mapping(batch.read_options.mapping),
    }


def _dump_mapping(mapping: ImportMapping | None) -> str | None:
    return None if mapping is None else mapping.model_dump_json()


class _PieceToScore(NamedTuple):
    """A piece that was read: its rows, or its summary if an earlier run finished it."""

    file: InputFile
    input_bytes: int
    input_digest: int
    finished: PartSummary | None
    rows: ParsedRows | None


def _score_parts(
    batch: BatchRun,
    inputs: list[InputFile],
    output: FileFormat,
    parts: "Checkpoints | _StandardOutput",
    on_step: Callable[[RunProgress], None],
) -> list[PartSummary]:
    summaries: list[PartSummary] = []
    meter = _ProgressMeter(inputs, on_step)
    with write_behind() as write:
        for number, piece in enumerate(read_ahead(_read_rows(batch, inputs, parts))):
            if piece.rows is not None:
                summary, finish = _score_piece(batch, output, piece, piece.rows, summaries)
                write(partial(_write_part, parts, number, finish))
            elif piece.finished is not None and piece.finished.input_digest == piece.input_digest:
                summary = piece.finished
            else:
                raise RunMismatchError
            summaries.append(summary)
            meter.add(summary.rows, piece.input_bytes)
    if not summaries:
        part = _empty_part(batch, output)
        parts.write_part(0, part)
        summaries.append(part.summary)
    return summaries


def _read_rows(
    batch: BatchRun, inputs: list[InputFile], parts: "Checkpoints | _StandardOutput"
) -> Generator[_PieceToScore, None, None]:
    pieces = read_pieces(inputs, batch.rules.loaded, batch.names, batch.read_options)
    for number, (file, piece) in enumerate(pieces):
        digest, finished = zlib.crc32(piece.content), parts.read_summary(number)
        rows = piece.parse_rows() if finished is None else None
        yield _PieceToScore(file, piece.input_bytes, digest, finished, rows)


def _score_piece(
    batch: BatchRun,
    output: FileFormat,
    piece: _PieceToScore,
    rows: ParsedRows,
    earlier: list[PartSummary],
) -> tuple[PartSummary, Callable[[], FinishedPart]]:
    """Return the summary of a piece, and a function that encodes its results."""
    file, loaded, keep, is_first = piece.file, batch.rules.loaded, batch.keep, not earlier
    chunk = score_frame(
        add_partitions(
            batch.names.missing.empty_cells(rows.frame, loaded.questions), file.partitions
        ),
        batch.rules,
        explain=batch.explain,
        keep=keep,
        faults=rows.faults,
        lines=rows.lines,
    )
    today = batch.today or find_latest_day()
    summary = summarise_part(chunk, rows, loaded, earlier, file.label, keep, today)
    summary = summary.model_copy(update={"input_digest": piece.input_digest})

    def finish() -> FinishedPart:
        row_keys = encode_row_keys(rows.frame, chunk.results)
        results = chunk.results if file.label is None else _add_source(chunk.results, file, rows)
        visits = encode_visits(chunk, loaded)
        return FinishedPart(encode_part(results, output, first=is_first), summary, row_keys, visits)

    return summary, finish


def _write_part(
    parts: "Checkpoints | _StandardOutput", number: int, finish: Callable[[], FinishedPart]
) -> None:
    parts.write_part(number, finish())


def _add_source(results: pl.DataFrame, file: InputFile, rows: ParsedRows) -> pl.DataFrame:
    """Add the file that each row comes from, and its line there if it is known."""
    lines = rows.lines(list(range(results.height))) if rows.lines else None
    return results.with_columns(
        pl.lit(file.label).alias(SOURCE_FILE_COLUMN),
        pl.Series(SOURCE_LINE_COLUMN, lines or [None] * results.height, pl.UInt64),
    )


def _empty_part(batch: BatchRun, output: FileFormat) -> FinishedPart:
    """Return the part and summary of inputs without a row."""
    results = build_empty_results(batch.rules, explain=batch.explain, keep=batch.keep)
    summary = PartSummary(rows=0, rows_with_problems=0, by_status={}, by_band={}, by_tier={})
    return FinishedPart(encode_part(results, output, first=True), summary)


class _StandardOutput:
    """Writes the parts to standard output at once; none can be resumed."""

    def __init__(self) -> None:
        self._parts: dict[int, FinishedPart] = {}

    def read_summary(self, _: int) -> None:
        return None

    def write_part(self, number: int, part: FinishedPart) -> None:
        sys.stdout.buffer.write(part.content)
        sys.stdout.buffer.flush()
        self._parts[number] = part._replace(content=b"")

    def read_row_keys(self, number: int) -> bytes:
        return self._parts[number].row_keys

    def read_visits(self, number: int) -> bytes:
        return self._parts[number].visits


class _ProgressMeter:
    """Adds up the progress of a run and reports it."""

    def __init__(self, inputs: list[InputFile], on_step: Callable[[RunProgress], None]) -> None:
        is_known = all(
            file.name != STANDARD_STREAM and file.file_format.compression is None for file in inputs
        )
        self._total = sum(Path(file.name).stat().st_size for file in inputs) if is_known else None
        self._rows = self._bytes = 0
        self._on_step = on_step

    def add(self, rows: int, size: int) -> None:
        self._rows, self._bytes = self._rows + rows, self._bytes + size
        self._on_step(RunProgress(self._rows, self._bytes, self._total))
