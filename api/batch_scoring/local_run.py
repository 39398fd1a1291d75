"""One run of a batch: files in, one file out, whole or not at all.

Chunks are scored one after another; each is kept as a part until the last is there.
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
    Format,
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
    """What is to be done: a file, a pattern or `-` in, a file or `-` out."""

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
    """How far a run has come: rows so far, and bytes of `of_bytes` (None where it is not known)."""

    rows: int
    bytes: int
    of_bytes: int | None


class Source(NamedTuple):
    """One file to be read."""

    name: str
    told: Named
    shown: str | None


def run(batch: Batch, on_step: Callable[[Step], None] = lambda _: None) -> BatchSummary:
    """Score every row, and write the results where they belong.

    Raises UnusableInputError, OSError where a file cannot be read or written.
    """
    sources = _sources(batch)
    to = told_by(batch.out, batch.to)
    if batch.out == STANDARD:
        return _to_standard(batch, sources, to, on_step)
    parts = Parts(Path(batch.out), ".arrow" if to.format == "parquet" else ".part")
    try:
        parts.begin(_identity(batch, sources, to), resume=batch.resume)
    except OtherRunError:
        raise UnusableInputError(
            "what was begun cannot go on: input, rulebook or options have changed since; "
            "leave out --resume to start anew"
        ) from None
    try:
        notes = _kept(batch, sources, to, parts, on_step)
    except UnusableInputError:
        parts.drop()
        raise
    _put_together(to, parts, Path(batch.out))
    parts.drop()
    return _summary(batch.rules, notes)


def _sources(batch: Batch) -> list[Source]:
    names = found(batch.source)
    if batch.source == STANDARD and batch.resume:
        raise UnusableInputError("standard input cannot be read a second time: no --resume")
    several = len(names) > 1
    return [
        Source(name, told_by(name, batch.format), Path(name).name if several else None)
        for name in names
    ]


def _identity(batch: Batch, sources: list[Source], to: Named) -> dict[str, Any]:
    """What must be the same for a run to go on."""
    stats = [(each.name, Path(each.name).stat()) for each in sources if each.name != STANDARD]
    return {
        "inputs": [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats],
        "formats": [[*each.told] for each in sources],
        "to": [*to],
        "rulebook": batch.rules.loaded.sha256,
        "mapping": batch.names.mapping,
        "ignore_unknown": batch.names.ignore_unknown,
        "explain": batch.explain,
        "encoding": batch.encoding,
        "bytes": [batch.block_bytes, batch.record_bytes],
    }


def _kept(
    batch: Batch, sources: list[Source], to: Named, parts: Parts, on_step: Callable[[Step], None]
) -> list[Note]:
    notes: list[Note] = []
    watch = _Watch(sources, on_step)
    for number, (source, piece) in enumerate(_pieces(batch, sources)):
        note = parts.note(number)
        if note is None:
            content, note = _done(batch, to, source, piece, notes, first=number == 0)
            parts.keep(number, content, note)
        notes.append(note)
        watch.step(note.rows, piece.bytes)
    if not notes:
        content, note = _nothing(batch, to)
        parts.keep(0, content, note)
        notes.append(note)
    return notes


def _pieces(batch: Batch, sources: list[Source]) -> Iterator[tuple[Source, Piece]]:
    for source in sources:
        if source.told.format == "parquet":
            yield from ((source, each) for each in _of_parquet(batch, source))
            continue
        with opened(source.name, source.told.packing) as stream:
            limits = {"block_bytes": batch.block_bytes, "record_bytes": batch.record_bytes}
            try:
                pieces: Iterator[Piece]
                if source.told.format == "csv":
                    pieces = csv_pieces(stream, batch.names, encoding=batch.encoding, **limits)
                else:
                    pieces = json_pieces(stream, batch.rules.loaded, batch.names, **limits)
                yield from ((source, each) for each in pieces)
            except (EOFError, ValueError) as error:
                raise UnusableInputError(f"cannot be unpacked: {type(error).__name__}") from None


def _of_parquet(batch: Batch, source: Source) -> Iterator[Piece]:
    if source.name != STANDARD:
        size = Path(source.name).stat().st_size
        yield from parquet_pieces(source.name, batch.names, size=size)
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / "in.parquet"
        with file.open("wb") as stream:
            while piece := sys.stdin.buffer.read(1024 * 1024):
                stream.write(piece)
        yield from parquet_pieces(str(file), batch.names, size=file.stat().st_size)


def _done(  # noqa: PLR0913 - a piece, where it is from, and what came before
    batch: Batch, to: Named, source: Source, piece: Piece, before: list[Note], *, first: bool
) -> tuple[bytes, Note]:
    read = piece.rows()
    chunk = scored(
        read.frame, batch.rules, explain=batch.explain, faults=read.faults, lines=read.lines
    )
    told = sum(len(note.problems) for note in before)
    note = Note(
        rows=chunk.results.height,
        rows_with_problems=chunk.faults["row"].n_unique(),
        by_status=_counts(chunk.results, STATUS),
        by_band=_counts(chunk.results, BAND),
        by_tier=_counts(chunk.results, TIER),
        problems=chunk.problems(
            rows_before=sum(note.rows for note in before),
            file=source.shown,
            most=MOST_PROBLEMS - told,
        ),
    )
    return _content(chunk.results, to, first=first), note


def _nothing(batch: Batch, to: Named) -> tuple[bytes, Note]:
    """What becomes of files without a row."""
    empty = scored(pl.DataFrame(), batch.rules, explain=batch.explain).results.clear()
    note = Note(rows=0, rows_with_problems=0, by_status={}, by_band={}, by_tier={})
    return _content(empty, to, first=True), note


def _content(results: pl.DataFrame, to: Named, *, first: bool) -> bytes:
    kind: Format = to.format
    match kind:
        case "csv":
            return packed(as_csv(results, header=first), to.packing)
        case "ndjson":
            return packed(as_ndjson(results), to.packing)
        case "parquet":
            return as_part(results)


def _counts(results: pl.DataFrame, column: str) -> dict[str, int]:
    if column not in results.columns:
        return {}
    counted = results[column].drop_nulls().cast(pl.String).value_counts(sort=True)
    return dict(counted.iter_rows())


def _put_together(to: Named, parts: Parts, out: Path) -> None:
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        if to.format == "parquet":
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


def _to_standard(
    batch: Batch, sources: list[Source], to: Named, on_step: Callable[[Step], None]
) -> BatchSummary:
    if to.format == "parquet":
        with TemporaryDirectory() as folder:
            file = Path(folder) / "out.parquet"
            summary = run(batch._replace(out=str(file), to="parquet"), on_step)
            sys.stdout.buffer.writelines(joined([file]))
            return summary
    notes: list[Note] = []
    watch = _Watch(sources, on_step)
    for number, (source, piece) in enumerate(_pieces(batch, sources)):
        content, note = _done(batch, to, source, piece, notes, first=number == 0)
        sys.stdout.buffer.write(content)
        notes.append(note)
        watch.step(note.rows, piece.bytes)
    if not notes:
        content, note = _nothing(batch, to)
        sys.stdout.buffer.write(content)
        notes.append(note)
    sys.stdout.buffer.flush()
    return _summary(batch.rules, notes)


class _Watch:
    """Adds up how far a run has come."""

    def __init__(self, sources: list[Source], on_step: Callable[[Step], None]) -> None:
        plain = all(each.name != STANDARD and each.told.packing is None for each in sources)
        self._of_bytes = sum(Path(each.name).stat().st_size for each in sources) if plain else None
        self._rows = self._bytes = 0
        self._on_step = on_step

    def step(self, rows: int, size: int) -> None:
        """One piece more is done."""
        self._rows, self._bytes = self._rows + rows, self._bytes + size
        self._on_step(Step(self._rows, self._bytes, self._of_bytes))


def _summary(rules: ColumnRules, notes: list[Note]) -> BatchSummary:
    def added(name: str) -> dict[str, int]:
        total: Counter[str] = Counter()
        for note in notes:
            total.update(getattr(note, name))
        return dict(total.most_common())

    return BatchSummary(
        rulebook=rules.loaded.name,
        rulebook_sha256=rules.loaded.sha256,
        rows=sum(note.rows for note in notes),
        rows_with_problems=sum(note.rows_with_problems for note in notes),
        by_status=added("by_status"),
        by_band=added("by_band"),
        by_tier=added("by_tier"),
        problems=tuple(each for note in notes for each in note.problems),
    )
