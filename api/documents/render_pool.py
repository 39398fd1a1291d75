"""A bounded pool of killable processes that render documents to PDF.

A document that takes too much time or memory ends its process, and the next one gets a new process.
A process inherits no setting, key or token: only the search path and locale variables.
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

MAX_MEMORY_BYTES = 1536 * 1024 * 1024
JOBS_PER_PROCESS = 200
START_SECONDS = 30.0
_INHERITED_ENV = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")


class PdfRenderer(Protocol):
    """Renders documents to PDF."""

    def render(self, document: Document) -> bytes:
        """Return the PDF of the document."""


class RendererPool:
    """Renders up to `workers` documents at once and queues `queue`, each for up to `seconds`."""

    def __init__(
        self, workers: int, queue: int, seconds: float, *, memory: int = MAX_MEMORY_BYTES
    ) -> None:
        self._places = threading.BoundedSemaphore(workers + queue)
        self._idle: LifoQueue[_Process | None] = LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._workers = threading.BoundedSemaphore(workers)
        self._seconds = seconds
        self._memory = memory
        self._finalizer = weakref.finalize(self, _kill_all, self._idle)

    def render(self, document: Document) -> bytes:
        """Return the PDF of the document.

        Raises Problem `too_many` if the queue is full or no worker comes free in time, and
        `report_stopped` if the document takes too much time or memory.
        """
        job = document.model_dump_json().encode("utf-8", "replace")
        with self._acquire(self._places, 0), self._acquire(self._workers, self._seconds):
            return self._render(job)

    def close(self) -> None:
        """End every process; also happens when the renderer is garbage-collected."""
        self._finalizer()

    def _render(self, job: bytes) -> bytes:
        process = self._idle.get()
        try:
            process = process or _Process(self._memory)
            pdf = process.ask(job, self._seconds)
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
        if process.jobs >= JOBS_PER_PROCESS:
            process.kill()
            process = None
        self._idle.put(process)
        return pdf

    @contextmanager
    def _acquire(self, semaphore: threading.BoundedSemaphore, seconds: float) -> Iterator[None]:
        if not semaphore.acquire(timeout=seconds):
            raise Problem("too_many", headers={"Retry-After": "5"})
        try:
            yield
        finally:
            semaphore.release()


class InProcessRenderer:
    """Renders in this process, for a program that renders one document and exits."""

    def render(self, document: Document) -> bytes:
        """Return the PDF of the document."""
        from reports.pdf.render import render

        return render(document)


def _kill_all(idle: "LifoQueue[_Process | None]") -> None:
    while not idle.empty():
        process = idle.get()
        if process is not None:
            process.kill()


class _StoppedError(Exception):
    """The process ended or did not answer in time."""


class _Process:
    """One worker process."""

    def __init__(self, memory: int) -> None:
        self.jobs = 0
        self._process = subprocess.Popen(  # noqa: S603 # nosec B603 - our own program, no shell
            [sys.executable, "-I", "-m", "reports.render_worker", str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _INHERITED_ENV if name in os.environ},
            close_fds=True,
        )
        self._read_answer(START_SECONDS)

    def ask(self, job: bytes, seconds: float) -> bytes:
        """Return the worker's PDF. Raises _StoppedError if none arrives in time."""
        self.jobs += 1
        try:
            self._input.write(LENGTH.pack(len(job)) + job)
            self._input.flush()
        except OSError:
            raise _StoppedError from None
        return self._read_answer(seconds)

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

    def _read_answer(self, seconds: float) -> bytes:
        deadline = monotonic() + seconds
        (length,) = LENGTH.unpack(self._read(LENGTH.size, deadline))
        if length > MOST_BYTES:
            raise _StoppedError
        return self._read(length, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        if self._process.stdout is None:
            raise _StoppedError
        descriptor = self._process.stdout.fileno()
        content = bytearray()
        while len(content) < size:
            ready, _, _ = select.select([descriptor], [], [], max(deadline - monotonic(), 0))
            part = os.read(descriptor, min(size - len(content), 1 << 16)) if ready else b""
            if not part:
                raise _StoppedError
            content += part
        return bytes(content)
