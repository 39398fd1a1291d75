"""A killable child process that exchanges messages with the service.

It inherits no setting, key or token: only the search path and locale variables. The child's side
of the exchange, and the limits that it puts on itself, are in `reports.render_worker`.
"""

import os
import select
import subprocess  # nosec B404 - starts our own worker
import sys
from contextlib import suppress
from time import monotonic
from typing import IO

from reports.render_worker import LENGTH_PREFIX, MAX_MESSAGE_BYTES

START_SECONDS = 30.0
_INHERITED_ENV = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")

_THREADS = {"POLARS_MAX_THREADS": "2"}
"""Each thread takes address space of its own, which is limited."""


class ChildStoppedError(Exception):
    """The process ended, or did not answer in time."""


class ChildProcess:
    """A process that runs one of our modules. Raises ChildStoppedError if it does not start."""

    def __init__(
        self,
        module: str,
        memory: int,
        *arguments: str,
        max_answer: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self.jobs = 0
        self._max_answer = max_answer
        self._process = subprocess.Popen(  # noqa: S603 # nosec B603 - our own program, no shell
            [sys.executable, "-I", "-m", module, str(memory), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_THREADS
            | {name: os.environ[name] for name in _INHERITED_ENV if name in os.environ},
            close_fds=True,
        )
        try:
            self.read_answer(START_SECONDS)
        except ChildStoppedError:
            self.kill()
            raise

    def ask(self, job: bytes, seconds: float) -> bytes:
        """Send a job and return the answer. Raises ChildStoppedError if none arrives in time."""
        self.jobs += 1
        self.send(job)
        return self.read_answer(seconds)

    def send(self, message: bytes) -> None:
        """Send a message. Raises ChildStoppedError if the process has ended."""
        try:
            self._input.write(LENGTH_PREFIX.pack(len(message)) + message)
            self._input.flush()
        except OSError:
            raise ChildStoppedError from None

    def read_answer(self, seconds: float) -> bytes:
        """Return the next message. Raises ChildStoppedError if none arrives in time."""
        deadline = monotonic() + seconds
        (length,) = LENGTH_PREFIX.unpack(self._read(LENGTH_PREFIX.size, deadline))
        if length > self._max_answer:
            raise ChildStoppedError
        return self._read(length, deadline)

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
            raise ChildStoppedError
        return self._process.stdin

    def _read(self, size: int, deadline: float) -> bytes:
        if self._process.stdout is None:
            raise ChildStoppedError
        descriptor = self._process.stdout.fileno()
        content = bytearray()
        while len(content) < size:
            ready, _, _ = select.select([descriptor], [], [], max(deadline - monotonic(), 0))
            part = os.read(descriptor, min(size - len(content), 1 << 16)) if ready else b""
            if not part:
                raise ChildStoppedError
            content += part
        return bytes(content)
