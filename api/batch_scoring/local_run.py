"""Runs a batch from files to one output file, with checkpoints, so that a run can resume.

The output appears only when the whole run has succeeded.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import polars as pl

from api.batch_scoring.checkpoints import (
    Checkpoints,
    PartSummary,
    RunMismatchError,
    read_files,
    sync_folder,
)
from api.batch_scoring.chunk_scorer import score_frame
from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import (
    STANDARD_STREAM,
    FileFormat,
    UnusableInputError,
    compress_member,
    detect_format,
    expand_pattern,
    open_input,
)
from api.batch_scoring.readers.base import FilePiece
from api.batch_scoring.readers.csv import read_csv_pieces
from api.batch_scoring.readers.ndjson import read_ndjson_pieces
from api.batch_scoring.readers.parquet import read_parquet_pieces
from api.batch_scoring.writers import encode_csv, encode_ipc, encode_ndjson, merge_into_parquet
from schemas.batch import (
    BAND_COLUMN,
    MAX_SUMMARY_PROBLEMS,
    STATUS_COLUMN,
    TIER_COLUMN,
    BatchSummary,
)
from scoring.columns import ColumnRules


class BatchRun(NamedTuple):
    """The options of a run: a file, a pattern or `-` as input, a file or `-` as output."""

    source: str
    output: str
    rules: ColumnRules
    names: ColumnNames
    explain: bool = False
    input_format: str | None = None
    output_format: str | None = None
    encoding: str = "utf-8"
    resume: bool = False
    block_bytes: int | None = None
    record_bytes: int | None = None


class RunProgress(NamedTuple):
    """The progress of a run: rows done, bytes read, and bytes in total (None if unknown)."""

    rows: int
    bytes_read: int
    total_bytes: int | None


class InputFile(NamedTuple):
    """One input; `label` is its name in problems, None if it is the only input."""

    name: str
    file_format: FileFormat
    label: str | None


def run_batch(
    batch: BatchRun, on_progress: Callable[[RunProgress], None] = lambda _: None
) -> BatchSummary:
    """Score every row and write the results to the output.

    Raises UnusableInputError, and OSError if a file cannot be read or written.
    """
    inputs = _find_inputs(batch)
    output = detect_format(batch.output, batch.output_format)
    if batch.output == STANDARD_STREAM and output.format == "parquet":
        with TemporaryDirectory() as folder:
            file = Path(folder) / "out.parquet"
            summary = run_batch(
                batch._replace(output=str(file), output_format="parquet"), on_progress
            )
            sys.stdout.buffer.writelines(read_files([file]))
        return summary
    if batch.output == STANDARD_STREAM:
        summaries = _score_parts(batch, inputs, output, _StandardOutput(), on_progress)
        return _summarise(batch.rules, summaries)
    parts = Checkpoints(Path(batch.output), ".arrow" if output.format == "parquet" else ".part")
    try:
        parts.open_run(_run_identity(batch, inputs, output), resume=batch.resume)
    except RunMismatchError:
        raise UnusableInputError(
            "the run cannot resume: the input, rulebook or options have changed; "
            "omit --resume to start again"
        ) from None
    try:
        summaries = _score_parts(batch, inputs, output, parts, on_progress)
    except UnusableInputError:
        parts.delete()
        raise
    _merge_parts(output, parts, Path(batch.output))
    parts.delete()
    return _summarise(batch.rules, summaries)


def _find_inputs(batch: BatchRun) -> list[InputFile]:
    names = expand_pattern(batch.source)
    if batch.source == STANDARD_STREAM and batch.resume:
        raise UnusableInputError("--resume is not possible with standard input")
    several = len(names) > 1
    return [
        InputFile(
            name, detect_format(name, batch.input_format), Path(name).name if several else None
        )
        for name in names
    ]


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
        "encoding": batch.encoding,
        "bytes": [batch.block_bytes, batch.record_bytes],
    }


def _score_parts(
    batch: BatchRun,
    inputs: list[InputFile],
    output: FileFormat,
    parts: "Checkpoints | _StandardOutput",
    on_step: Callable[[RunProgress], None],
) -> list[PartSummary]:
    summaries: list[PartSummary] = []
    meter = _ProgressMeter(inputs, on_step)
    for number, (file, piece) in enumerate(_pieces(batch, inputs)):
        summary = parts.read_summary(number)
        if summary is None:
            content, summary = _score_piece(batch, output, file, piece, summaries)
            parts.write_part(number, content, summary)
        summaries.append(summary)
        meter.add(summary.rows, piece.input_bytes)
    if not summaries:
        content, summary = _empty_part(batch, output)
        parts.write_part(0, content, summary)
        summaries.append(summary)
    return summaries


def _pieces(batch: BatchRun, inputs: list[InputFile]) -> Iterator[tuple[InputFile, FilePiece]]:
    for file in inputs:
        if file.file_format.format == "parquet":
            yield from ((file, piece) for piece in _read_parquet(batch, file))
            continue
        with open_input(file.name, file.file_format.compression) as stream:
            sizes = {"block_bytes": batch.block_bytes, "record_bytes": batch.record_bytes}
            try:
                pieces: Iterator[FilePiece]
                if file.file_format.format == "csv":
                    pieces = read_csv_pieces(stream, batch.names, encoding=batch.encoding, **sizes)
                else:
                    pieces = read_ndjson_pieces(stream, batch.rules.loaded, batch.names, **sizes)
                yield from ((file, piece) for piece in pieces)
            except (EOFError, ValueError) as error:
                raise UnusableInputError(
                    f"cannot be decompressed: {type(error).__name__}"
                ) from None


def _read_parquet(batch: BatchRun, file: InputFile) -> Iterator[FilePiece]:
    if file.name != STANDARD_STREAM:
        size = Path(file.name).stat().st_size
        yield from read_parquet_pieces(file.name, batch.names, size=size)
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "in.parquet"
        with copy.open("wb") as stream:
            while piece := sys.stdin.buffer.read(1024 * 1024):
                stream.write(piece)
        yield from read_parquet_pieces(str(copy), batch.names, size=copy.stat().st_size)


def _score_piece(
    batch: BatchRun,
    output: FileFormat,
    file: InputFile,
    piece: FilePiece,
    earlier: list[PartSummary],
) -> tuple[bytes, PartSummary]:
    rows = piece.parse_rows()
    chunk = score_frame(
        rows.frame, batch.rules, explain=batch.explain, faults=rows.faults, lines=rows.lines
    )
    summary = PartSummary(
        rows=chunk.results.height,
        rows_with_problems=chunk.faults["row"].n_unique(),
        by_status=chunk.count_values(STATUS_COLUMN),
        by_band=chunk.count_values(BAND_COLUMN),
        by_tier=chunk.count_values(TIER_COLUMN),
        problems=chunk.list_problems(
            rows_before=sum(part.rows for part in earlier),
            file=file.label,
            limit=MAX_SUMMARY_PROBLEMS - sum(len(part.problems) for part in earlier),
        ),
    )
    return _encode(chunk.results, output, first=not earlier), summary


def _empty_part(batch: BatchRun, output: FileFormat) -> tuple[bytes, PartSummary]:
    """Return the part and summary of inputs without a row."""
    results = score_frame(pl.DataFrame(), batch.rules, explain=batch.explain).results.clear()
    summary = PartSummary(rows=0, rows_with_problems=0, by_status={}, by_band={}, by_tier={})
    return _encode(results, output, first=True), summary


def _encode(results: pl.DataFrame, output: FileFormat, *, first: bool) -> bytes:
    match output.format:
        case "csv":
            return compress_member(encode_csv(results, header=first), output.compression)
        case "ndjson":
            return compress_member(encode_ndjson(results), output.compression)
        case "parquet":
            return encode_ipc(results)


def _merge_parts(output: FileFormat, parts: Checkpoints, out: Path) -> None:
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        if output.format == "parquet":
            merge_into_parquet(parts.list_files(), unfinished)
        else:
            with unfinished.open("wb") as stream:
                stream.writelines(read_files(parts.list_files()))
        with unfinished.open("rb+") as stream:
            os.fsync(stream.fileno())
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(out.parent)


class _StandardOutput:
    """Writes the parts to standard output at once; none can be resumed."""

    def read_summary(self, _: int) -> None:
        return None

    def write_part(self, _: int, content: bytes, __: PartSummary) -> None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


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


def _summarise(rules: ColumnRules, summaries: list[PartSummary]) -> BatchSummary:
    def add_counts(name: str) -> dict[str, int]:
        total: Counter[str] = Counter()
        for summary in summaries:
            total.update(getattr(summary, name))
        return dict(total.most_common())

    return BatchSummary(
        rulebook=rules.loaded.name,
        rulebook_sha256=rules.loaded.sha256,
        rows=sum(summary.rows for summary in summaries),
        rows_with_problems=sum(summary.rows_with_problems for summary in summaries),
        by_status=add_counts("by_status"),
        by_band=add_counts("by_band"),
        by_tier=add_counts("by_tier"),
        problems=tuple(problem for summary in summaries for problem in summary.problems),
    )
