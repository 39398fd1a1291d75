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

from api.batch_scoring.checkpoints import Note, OtherRunError, Parts, joined, settle
from api.batch_scoring.chunk_scorer import scored
from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import (
    STANDARD,
    Named,
    UnusableInputError,
    found,
    opened,
    packed,
    told_by,
)
from api.batch_scoring.readers.base import Piece
from api.batch_scoring.readers.csv import csv_pieces
from api.batch_scoring.readers.ndjson import json_pieces
from api.batch_scoring.readers.parquet import parquet_pieces
from api.batch_scoring.writers import as_csv, as_ndjson, as_part, parquet_of
from schemas.batch import BAND, MOST_PROBLEMS, STATUS, TIER, BatchSummary
from scoring.columns import ColumnRules


class Batch(NamedTuple):
    """The options of a run: a file, a pattern or `-` as input, a file or `-` as output."""

    source: str
    out: str
    rules: ColumnRules
    names: ColumnNames
    explain: bool = False
    format: str | None = None
    to: str | None = None
    encoding: str = "utf-8"
    resume: bool = False
    block_bytes: int | None = None
    record_bytes: int | None = None


class Step(NamedTuple):
    """The progress of a run: rows done, bytes read, and bytes in total (None if unknown)."""

    rows: int
    bytes: int
    of_bytes: int | None


class InputFile(NamedTuple):
    """One input; `label` is its name in problems, None if it is the only input."""

    name: str
    file_format: Named
    label: str | None


def run(batch: Batch, on_step: Callable[[Step], None] = lambda _: None) -> BatchSummary:
    """Score every row and write the results to the output.

    Raises UnusableInputError, and OSError if a file cannot be read or written.
    """
    inputs = _find_inputs(batch)
    output = told_by(batch.out, batch.to)
    if batch.out == STANDARD:
        return _run_to_stdout(batch, inputs, output, on_step)
    parts = Parts(Path(batch.out), ".arrow" if output.format == "parquet" else ".part")
    try:
        parts.begin(_run_identity(batch, inputs, output), resume=batch.resume)
    except OtherRunError:
        raise UnusableInputError(
            "what was begun cannot go on: input, rulebook or options have changed since; "
            "leave out --resume to start anew"
        ) from None
    try:
        summaries = _score_parts(batch, inputs, output, parts, on_step)
    except UnusableInputError:
        parts.drop()
        raise
    _merge_parts(output, parts, Path(batch.out))
    parts.drop()
    return _summarise(batch.rules, summaries)


def _find_inputs(batch: Batch) -> list[InputFile]:
    names = found(batch.source)
    if batch.source == STANDARD and batch.resume:
        raise UnusableInputError("standard input cannot be read a second time: no --resume")
    several = len(names) > 1
    return [
        InputFile(name, told_by(name, batch.format), Path(name).name if several else None)
        for name in names
    ]


def _run_identity(batch: Batch, inputs: list[InputFile], output: Named) -> dict[str, Any]:
    """Return the inputs and options that must be unchanged for a run to resume."""
    stats = [(file.name, Path(file.name).stat()) for file in inputs if file.name != STANDARD]
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
    batch: Batch,
    inputs: list[InputFile],
    output: Named,
    parts: Parts,
    on_step: Callable[[Step], None],
) -> list[Note]:
    summaries: list[Note] = []
    meter = _ProgressMeter(inputs, on_step)
    for number, (file, piece) in enumerate(_pieces(batch, inputs)):
        summary = parts.note(number)
        if summary is None:
            content, summary = _score_piece(batch, output, file, piece, summaries)
            parts.keep(number, content, summary)
        summaries.append(summary)
        meter.add(summary.rows, piece.bytes)
    if not summaries:
        content, summary = _empty_part(batch, output)
        parts.keep(0, content, summary)
        summaries.append(summary)
    return summaries


def _pieces(batch: Batch, inputs: list[InputFile]) -> Iterator[tuple[InputFile, Piece]]:
    for file in inputs:
        if file.file_format.format == "parquet":
            yield from ((file, piece) for piece in _read_parquet(batch, file))
            continue
        with opened(file.name, file.file_format.packing) as stream:
            sizes = {"block_bytes": batch.block_bytes, "record_bytes": batch.record_bytes}
            try:
                pieces: Iterator[Piece]
                if file.file_format.format == "csv":
                    pieces = csv_pieces(stream, batch.names, encoding=batch.encoding, **sizes)
                else:
                    pieces = json_pieces(stream, batch.rules.loaded, batch.names, **sizes)
                yield from ((file, piece) for piece in pieces)
            except (EOFError, ValueError) as error:
                raise UnusableInputError(f"cannot be unpacked: {type(error).__name__}") from None


def _read_parquet(batch: Batch, file: InputFile) -> Iterator[Piece]:
    if file.name != STANDARD:
        size = Path(file.name).stat().st_size
        yield from parquet_pieces(file.name, batch.names, size=size)
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "in.parquet"
        with copy.open("wb") as stream:
            while piece := sys.stdin.buffer.read(1024 * 1024):
                stream.write(piece)
        yield from parquet_pieces(str(copy), batch.names, size=copy.stat().st_size)


def _score_piece(
    batch: Batch, output: Named, file: InputFile, piece: Piece, earlier: list[Note]
) -> tuple[bytes, Note]:
    rows = piece.rows()
    chunk = scored(
        rows.frame, batch.rules, explain=batch.explain, faults=rows.faults, lines=rows.lines
    )
    summary = Note(
        rows=chunk.results.height,
        rows_with_problems=chunk.faults["row"].n_unique(),
        by_status=chunk.count_values(STATUS),
        by_band=chunk.count_values(BAND),
        by_tier=chunk.count_values(TIER),
        problems=chunk.problems(
            rows_before=sum(part.rows for part in earlier),
            file=file.label,
            limit=MOST_PROBLEMS - sum(len(part.problems) for part in earlier),
        ),
    )
    return _encode(chunk.results, output, first=not earlier), summary


def _empty_part(batch: Batch, output: Named) -> tuple[bytes, Note]:
    """Return the part and summary of inputs without a row."""
    results = scored(pl.DataFrame(), batch.rules, explain=batch.explain).results.clear()
    summary = Note(rows=0, rows_with_problems=0, by_status={}, by_band={}, by_tier={})
    return _encode(results, output, first=True), summary


def _encode(results: pl.DataFrame, output: Named, *, first: bool) -> bytes:
    match output.format:
        case "csv":
            return packed(as_csv(results, header=first), output.packing)
        case "ndjson":
            return packed(as_ndjson(results), output.packing)
        case "parquet":
            return as_part(results)


def _merge_parts(output: Named, parts: Parts, out: Path) -> None:
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        if output.format == "parquet":
            parquet_of(parts.files(), unfinished)
        else:
            with unfinished.open("wb") as stream:
                stream.writelines(joined(parts.files()))
        with unfinished.open("rb+") as stream:
            os.fsync(stream.fileno())
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    settle(out.parent)


def _run_to_stdout(
    batch: Batch, inputs: list[InputFile], output: Named, on_step: Callable[[Step], None]
) -> BatchSummary:
    if output.format == "parquet":
        with TemporaryDirectory() as folder:
            file = Path(folder) / "out.parquet"
            summary = run(batch._replace(out=str(file), to="parquet"), on_step)
            sys.stdout.buffer.writelines(joined([file]))
            return summary
    summaries: list[Note] = []
    meter = _ProgressMeter(inputs, on_step)
    for source, piece in _pieces(batch, inputs):
        content, part = _score_piece(batch, output, source, piece, summaries)
        sys.stdout.buffer.write(content)
        summaries.append(part)
        meter.add(part.rows, piece.bytes)
    if not summaries:
        content, part = _empty_part(batch, output)
        sys.stdout.buffer.write(content)
        summaries.append(part)
    sys.stdout.buffer.flush()
    return _summarise(batch.rules, summaries)


class _ProgressMeter:
    """Adds up the progress of a run and reports it."""

    def __init__(self, inputs: list[InputFile], on_step: Callable[[Step], None]) -> None:
        is_known = all(
            file.name != STANDARD and file.file_format.packing is None for file in inputs
        )
        self._total = sum(Path(file.name).stat().st_size for file in inputs) if is_known else None
        self._rows = self._bytes = 0
        self._on_step = on_step

    def add(self, rows: int, size: int) -> None:
        self._rows, self._bytes = self._rows + rows, self._bytes + size
        self._on_step(Step(self._rows, self._bytes, self._total))


def _summarise(rules: ColumnRules, summaries: list[Note]) -> BatchSummary:
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
