"""Runs several processes of the server on the same sockets, and starts one again that ends."""

import os
import signal
import subprocess  # nosec B404 - starts our own program
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self

from prometheus_client import multiprocess

POLL_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
STABLE_SECONDS = 30.0
"""A worker that lived for so long is started again without a pause."""


class WorkerPlace(NamedTuple):
    """What a worker is given: its number, the sockets, and a pipe that ends with the parent."""

    number: int
    sockets: tuple[int, ...]
    parent: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the place that `format` wrote. Raises ValueError."""
        number, sockets, parent = text.split(":")
        return cls(int(number), tuple(map(int, sockets.split(","))), int(parent))

    def format(self) -> str:
        """Return the place as an argument of the command line."""
        return f"{self.number}:{','.join(map(str, self.sockets))}:{self.parent}"

    def watch_parent(self) -> None:
        """Stop this process as a signal would once its parent has ended."""

        def wait() -> None:
            os.read(self.parent, 1)
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=wait, name="parent", daemon=True).start()


class ServerWorkers:
    """The worker processes of one server; the first one has the background duties."""

    def __init__(self, arguments: Sequence[str], sockets: Sequence[int], metrics: str) -> None:
        self._arguments = [sys.executable, "-c", "from api.cli import main; main()", *arguments]
        self._sockets = tuple(sockets)
        self._metrics = metrics
        self._parent, self._own_end = os.pipe()
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._started_at: dict[int, float] = {}
        self._pauses: dict[int, float] = {}

    def run(self, count: int, stop_requested: threading.Event) -> None:
        """Keep so many workers running until the stop, then let them finish their requests."""
        for number in range(count):
            self._start(number)
        while not stop_requested.wait(POLL_SECONDS):
            for number, worker in self._workers.items():
                if worker.poll() is not None:
                    self._restart(number)
        for worker in self._workers.values():
            with suppress(ProcessLookupError):
                worker.terminate()
        for worker in self._workers.values():
            worker.wait()
        os.close(self._own_end)

    def _start(self, number: int) -> None:
        place = WorkerPlace(number, self._sockets, self._parent)
        self._workers[number] = subprocess.Popen(  # noqa: S603 # nosec B603 - our own program, no shell
            [*self._arguments, "--worker", place.format()],
            env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": self._metrics},
            pass_fds=(*self._sockets, self._parent),
        )
        self._started_at[number] = time.monotonic()

    def _restart(self, number: int) -> None:
        """Start the worker again; each time that it ends early, after a longer pause."""
        ended_at, started_at = time.monotonic(), self._started_at[number]
        pause = self._pauses.get(number, 0.0)
        if ended_at < started_at + pause:
            return
        multiprocess.mark_process_dead(self._workers[number].pid, self._metrics)  # type: ignore[no-untyped-call]
        lived_long = ended_at - started_at > STABLE_SECONDS
        self._pauses[number] = 0.0 if lived_long else min(2 * pause + 1, LONGEST_PAUSE_SECONDS)
        self._start(number)


def run_server_workers(arguments: Sequence[str], sockets: Sequence[int], count: int) -> None:
    """Run the program in `count` processes on these descriptors until a signal stops them."""
    stop_requested = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop_requested.set())
    with TemporaryDirectory(prefix="nociscreen-metrics-") as metrics:
        ServerWorkers(arguments, sockets, metrics).run(count, stop_requested)
