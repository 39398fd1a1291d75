"""The ledger of withdrawals: a file outside the database, which outlasts a restored backup.

Each line is a JSON object: an entry, which is written before its transaction commits, or the
outcome of entries. Entries hold ids of this service and no patient data.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import structlog

from api.store.errors import UnavailableError

COMMITTED, CANCELLED = "committed", "cancelled"
_MODE = 0o600
_log = structlog.get_logger("nociscreen")


class Withdrawal(NamedTuple):
    """What was withdrawn in one organisation: records of one kind, by their ids."""

    id: str
    organisation: str
    kind: str
    targets: tuple[str, ...]


class LedgerContent(NamedTuple):
    """The withdrawals of a ledger in their order, by id, and the last outcome of each."""

    withdrawals: dict[str, Withdrawal]
    outcomes: dict[str, str]

    def select(self, *outcomes: str | None) -> set[str]:
        """Return the ids of the entries with one of these outcomes; None is without one."""
        return {key for key in self.withdrawals if self.outcomes.get(key) in outcomes}


class WithdrawalLedger:
    """An append-only file that several processes may share."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, *withdrawals: Withdrawal) -> None:
        """Write entries through to the disk. Raises UnavailableError."""
        lines = [
            {
                "entry": withdrawal.id,
                "organisation": withdrawal.organisation,
                "kind": withdrawal.kind,
                "targets": withdrawal.targets,
            }
            for withdrawal in withdrawals
        ]
        try:
            self._write(lines)
        except OSError as error:
            _log.error("ledger_fault", error=type(error).__name__)
            raise UnavailableError("The ledger of withdrawals cannot be written.") from error

    def record_outcome(self, ids: Iterable[str], *, committed: bool) -> None:
        """Write whether the transaction of these entries was committed, or cancel them.

        A failure is only logged: an entry without an outcome is completed at the next start.
        """
        try:
            outcome = COMMITTED if committed else CANCELLED
            self._write([{"outcome": outcome, "entries": [*ids]}])
        except OSError as error:
            _log.warning("ledger_fault", error=type(error).__name__)

    def read(self) -> LedgerContent:
        """Return all entries with their outcomes; nothing if there is no file. Raises OSError."""
        content = LedgerContent({}, {})
        for line in self._read_lines():
            if "entry" in line:
                content.withdrawals[line["entry"]] = Withdrawal(
                    line["entry"], line["organisation"], line["kind"], tuple(line["targets"])
                )
            elif "outcome" in line:
                content.outcomes.update(dict.fromkeys(line["entries"], line["outcome"]))
        return content

    def _read_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the complete lines; a line cut off by a crash never had a transaction."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            content = file.read()
        for text in content.splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield line

    def _write(self, lines: Iterable[dict[str, Any]]) -> None:
        with self._lock_file() as file:
            is_cut_off = file.seek(0, os.SEEK_END) > 0 and _read_last_byte(file) != b"\n"
            text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
            file.write(b"\n" * is_cut_off + text.encode())
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _lock_file(self) -> Iterator[IO[bytes]]:
        is_new = not self.path.exists()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, _MODE)
        with os.fdopen(descriptor, "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        if is_new:
            _sync_folder(self.path.parent)


def _read_last_byte(file: IO[bytes]) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
