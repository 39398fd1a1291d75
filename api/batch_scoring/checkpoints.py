"""Parts: finished chunks kept beside the output until all are there, so that a run can go on.

A part counts once its note lies beside it, and a note is written after its part is on the disk.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.base import Frozen, Many
from schemas.batch import RowProblem


class OtherRunError(Exception):
    """The parts are of another run: its input, rulebook or options differ. The caller must act."""


class Note(Frozen):
    """What one part holds."""

    rows: int
    rows_with_problems: int
    by_status: dict[str, int]
    by_band: dict[str, int]
    by_tier: dict[str, int]
    problems: Many[RowProblem] = ()


class Parts:
    """The parts of one run, in a folder that only its owner can read."""

    def __init__(self, out: Path, suffix: str) -> None:
        self.folder = out.with_name(f".{out.name}.parts")
        self._suffix = suffix

    def begin(self, what: dict[str, Any], *, resume: bool) -> None:
        """Go on where the same run stopped, or start anew. Raises OtherRunError."""
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        of_run = self.folder / "run"
        if resume and of_run.exists():
            if of_run.read_text(encoding="ascii") != digest:
                raise OtherRunError
            return
        self.drop()
        self.folder.mkdir(mode=0o700)
        written(of_run, digest.encode())

    def note(self, number: int) -> Note | None:
        """What the finished part of this number holds; None where it is not finished."""
        note = self.folder / f"{number:06d}.json"
        return Note.model_validate_json(note.read_bytes()) if note.exists() else None

    def keep(self, number: int, content: bytes, note: Note) -> None:
        """Write a part, then its note."""
        written(self._part(number), content)
        written(self.folder / f"{number:06d}.json", note.model_dump_json().encode())

    def files(self) -> list[Path]:
        """Every part that was kept, in order."""
        return sorted(self.folder.glob(f"*{self._suffix}"))

    def drop(self) -> None:
        """Remove all parts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _part(self, number: int) -> Path:
        return self.folder / f"{number:06d}{self._suffix}"


def written(file: Path, content: bytes) -> None:
    """The content under this name, whole or not at all."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    with unfinished.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(file)
    settle(file.parent)


def settle(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def joined(files: list[Path]) -> Iterator[bytes]:
    """The bytes of all files, one after another."""
    for file in files:
        with file.open("rb") as stream:
            while piece := stream.read(1024 * 1024):
                yield piece
