"""Rendering, bounded: a few processes that can be killed, so many documents waiting, and no more.

A document that takes too long or too much memory ends its process; the next one gets a new one. A
process inherits nothing of the service but where its programs lie: no setting, no key, no token.
"""

import os
import select
import subprocess  # nosec B404 - starts our own worker
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import LifoQueue
from time import monotonic
from typing import IO, Protocol

from api.problems import Problem
from reports.blocks import Document
from reports.render_worker import LENGTH, MOST_BYTES

MEMORY = 1536 * 1024 * 1024
JOBS_EACH = 200
START_SECONDS = 30.0
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")


class Layout(Protocol):
    """What makes a PDF of a document."""

    def render(self, document: Document) -> bytes:
        """The PDF of the document."""


class Renderer:
    """Lets at most `workers` documents be laid out and `queue` wait, each for at most `seconds`."""

    def __init__(self, workers: int, queue: int, seconds: float, *, memory: int = MEMORY) -> None:
        self._places = threading.BoundedSemaphore(workers + queue)
        self._idle: LifoQueue[_Process | None] = LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._workers = threading.BoundedSemaphore(workers)
        self._seconds = seconds
        self._memory = memory
        self._end = weakref.finalize(self, _end, self._idle)

    def render(self, document: Document) -> bytes:
        """The PDF of the document.

        Raises Problem `too_many` where no place comes free in time, and `report_stopped` where the
        document took too long or too much memory.
        """
        asked = document.model_dump_json().encode("utf-8", "replace")
        with self._held(self._places, 0), self._held(self._workers, self._seconds):
            return self._made(asked)

    def close(self) -> None:
        """End every process. It happens by itself when nobody holds the renderer any more."""
        self._end()

    def _made(self, asked: bytes) -> bytes:
        process = self._idle.get()
        try:
            process = process or _Process(self._memory)
            made = process.ask(asked, self._seconds)
        except _StoppedError:
            if process is not None:
                process.kill()
            self._idle.put(None)
            raise Problem("report_stopped", headers={"Retry-After": "30"}) from None
        except BaseException:
            if process is not None:
                process.kill()
            self._idle.put(None)
            raise
        if process.jobs >= JOBS_EACH:
            process.kill()
            process = None
        self._idle.put(process)
        return made

    @contextmanager
    def _held(self, places: threading.BoundedSemaphore, seconds: float) -> Iterator[None]:
        if not places.acquire(timeout=seconds):
            raise Problem("too_many", headers={"Retry-After": "5"})
        try:
            yield
        finally:
            places.release()


class Here:
    """Lays documents out in this process: for a program that makes one and ends."""

    def render(self, document: Document) -> bytes:
        """The PDF of the document."""
        from reports.pdf.render import render

        return render(document)


def _end(idle: "LifoQueue[_Process | None]") -> None:
    while not idle.empty():
        process = idle.get()
        if process is not None:
            process.kill()


class _StoppedError(Exception):
    """The process ended, or did not answer in time."""


class _Process:
    """One worker, ready for a document."""

    def __init__(self, memory: int) -> None:
        self.jobs = 0
        self._process = subprocess.Popen(  # noqa: S603 # nosec B603 - our own program, no shell
            [sys.executable, "-I", "-m", "reports.render_worker", str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            close_fds=True,
        )
        self._answer(START_SECONDS)

    def ask(self, asked: bytes, seconds: float) -> bytes:
        """What the worker makes of it. Raises _StoppedError where it makes nothing in time."""
        self.jobs += 1
        try:
            self._input.write(LENGTH.pack(len(asked)) + asked)
            self._input.flush()
        except OSError:
            raise _StoppedError from None
        return self._answer(seconds)

    def kill(self) -> None:
        """End the process now, and wait until it is gone."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()

    @property
    def _input(self) -> IO[bytes]:
        if self._process.stdin is None:
            raise _StoppedError
        return self._process.stdin

    def _answer(self, seconds: float) -> bytes:
        end = monotonic() + seconds
        (length,) = LENGTH.unpack(self._read(LENGTH.size, end))
        if length > MOST_BYTES:
            raise _StoppedError
        return self._read(length, end)

    def _read(self, size: int, end: float) -> bytes:
        if self._process.stdout is None:
            raise _StoppedError
        place = self._process.stdout.fileno()
        read = bytearray()
        while len(read) < size:
            ready, _, _ = select.select([place], [], [], max(end - monotonic(), 0))
            part = os.read(place, min(size - len(read), 1 << 16)) if ready else b""
            if not part:
                raise _StoppedError
            read += part
        return bytes(read)
