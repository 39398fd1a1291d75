"""Checkpoints of a batch run: finished chunks stored next to the output, so that a run can resume.

A part counts as finished once its summary exists. The summary is written after its part is on disk.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from schemas.base import FrozenModel, Many
from schemas.batches.batch import FaultGroup, RowNotice, RowProblem


class RunMismatchError(Exception):
    """The parts belong to another run: its input, rulebook or options differ. The caller acts."""


class PartSummary(FrozenModel):
    """Row counts and problems of one part."""

    rows: int
    rows_with_problems: int
    by_status: dict[str, int]
    by_band: dict[str, int]
    by_tier: dict[str, int]
    problems: Many[RowProblem] = ()
    faults: Many[FaultGroup] = ()
    notices: Many[RowNotice] = ()
    problems_total: int = 0
    blank_lines: int = 0
    left_out: Many[str] = ()
    notes: Many[str] = ()
    input_digest: int = 0
    cohort: dict[str, Any] = Field(default_factory=dict)


class FinishedPart(NamedTuple):
    """The encoded results of one part, its summary, the keys of its rows, and visits of people."""

    content: bytes
    summary: PartSummary
    row_keys: bytes = b""
    visits: bytes = b""


class Checkpoints:
    """The parts of one run, in a folder that only its owner can read."""

    def __init__(self, output: Path, suffix: str) -> None:
        self.folder = output.with_name(f".{output.name}.parts")
        self._suffix = suffix

    def open_run(self, run_identity: dict[str, Any], *, resume: bool) -> None:
        """Resume the same run where it stopped, or start again. Raises RunMismatchError."""
        digest = hashlib.sha256(json.dumps(run_identity, sort_keys=True).encode()).hexdigest()
        digest_file = self.folder / "run"
        if resume and digest_file.exists():
            if digest_file.read_text(encoding="ascii") != digest:
                raise RunMismatchError
            return
        self.delete()
        self.folder.mkdir(mode=0o700)
        write_atomically(digest_file, digest.encode())

    def read_summary(self, number: int) -> PartSummary | None:
        """Return the summary of part `number`; None if the part is not finished."""
        file = self._find_file(number, "json")
        return PartSummary.model_validate_json(file.read_bytes()) if file.exists() else None

    def write_part(self, number: int, part: FinishedPart) -> None:
        """Write a part, then its summary."""
        write_atomically(self.folder / f"{number:06d}{self._suffix}", part.content)
        for kind, content in (("keys", part.row_keys), ("visits", part.visits)):
            if content:
                write_atomically(self._find_file(number, kind), content)
        write_atomically(self._find_file(number, "json"), part.summary.model_dump_json().encode())

    def read_row_keys(self, number: int) -> bytes:
        """Return the keys of the rows of a finished part."""
        return self._read_file(number, "keys")

    def read_visits(self, number: int) -> bytes:
        """Return the visits of people in a finished part."""
        return self._read_file(number, "visits")

    def list_files(self) -> list[Path]:
        """Return the files of all parts, in order."""
        return sorted(self.folder.glob(f"*{self._suffix}"))

    def delete(self) -> None:
        """Delete all parts and their summaries."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read_file(self, number: int, kind: str) -> bytes:
        file = self._find_file(number, kind)
        return file.read_bytes() if file.exists() else b""

    def _find_file(self, number: int, kind: str) -> Path:
        return self.folder / f"{number:06d}.{kind}"


def write_atomically(file: Path, content: bytes) -> None:
    """Write a file atomically and flush it to disk."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    with unfinished.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_files(files: list[Path]) -> Iterator[bytes]:
    """Yield the bytes of all files, one file after another."""
    for file in files:
        with file.open("rb") as stream:
            while piece := stream.read(1024 * 1024):
                yield piece
