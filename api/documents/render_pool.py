"""A bounded pool of killable processes that render documents to PDF.

A document that takes too much time or memory ends its process, and the next one gets a new process.
"""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import LifoQueue

from api.problems import Problem, TooManyRequestsProblem
from api.processes.child_process import ChildProcess, ChildStoppedError
from reports.blocks import Document

MAX_MEMORY_BYTES = 1536 * 1024 * 1024
JOBS_PER_PROCESS = 200
_WORKER = "reports.render_worker"


def _ignore(_seconds: float) -> None:
    pass


class RendererPool:
    """Renders up to `workers` documents at once and queues `queue`, each for up to `seconds`."""

    def __init__(
        self, workers: int, queue: int, seconds: float, *, memory: int = MAX_MEMORY_BYTES
    ) -> None:
        self.workers = workers
        self._places = threading.BoundedSemaphore(workers + queue)
        self._idle: LifoQueue[ChildProcess | None] = LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._workers = threading.BoundedSemaphore(workers)
        self._seconds = seconds
        self._memory = memory
        self._finalizer = weakref.finalize(self, _kill_all, self._idle)
        self._counting = threading.Lock()
        self.in_progress = 0
        """How many documents are rendered or queued."""
        self.on_rendered: Callable[[float], None] = _ignore

    def render(self, document: Document, meter: Callable[[float], None] = _ignore) -> bytes:
        """Return the PDF of the document, and tell `meter` the seconds that its process took.

        Raises Problem `too_many` if the queue is full or no worker comes free in time, and
        `report_stopped` if the document takes too much time or memory.
        """
        job = document.model_dump_json().encode("utf-8", "replace")
        with (
            self._acquire(self._places, 0),
            self._count(),
            self._acquire(self._workers, self._seconds),
        ):
            started_at = time.monotonic()
            try:
                return self._render(job)
            finally:
                seconds = time.monotonic() - started_at
                self.on_rendered(seconds)
                meter(seconds)

    def close(self) -> None:
        """End every process; also happens when the renderer is garbage-collected."""
        self._finalizer()

    def _render(self, job: bytes) -> bytes:
        process = self._idle.get()
        try:
            process = process or ChildProcess(_WORKER, self._memory)
            pdf = process.ask(job, self._seconds)
        except ChildStoppedError:
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
    def _count(self) -> Iterator[None]:
        with self._counting:
            self.in_progress += 1
        try:
            yield
        finally:
            with self._counting:
                self.in_progress -= 1

    @contextmanager
    def _acquire(self, semaphore: threading.BoundedSemaphore, seconds: float) -> Iterator[None]:
        if not semaphore.acquire(timeout=seconds):
            raise TooManyRequestsProblem(5)
        try:
            yield
        finally:
            semaphore.release()


class InProcessRenderer:
    """Renders in this process, one document at a time, for a program that soon exits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    workers = 1

    def render(self, document: Document, meter: Callable[[float], None] = _ignore) -> bytes:
        """Return the PDF of the document, and tell `meter` the seconds that it took."""
        from reports.pdf.render import render_pdf

        with self._lock:
            started_at = time.monotonic()
            pdf = render_pdf(document)
        meter(time.monotonic() - started_at)
        return pdf

    def close(self) -> None:
        """Do nothing: there is no process to end."""


def _kill_all(idle: "LifoQueue[ChildProcess | None]") -> None:
    while not idle.empty():
        process = idle.get()
        if process is not None:
            process.kill()
