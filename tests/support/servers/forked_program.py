"""Our own program in processes forked from one that has imported it, which takes seconds."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

# Polars starts threads when it is imported, so what imports it is left to each process.
PRELOADED = [
    "alembic.command", "api.admin.routes.clients", "api.cds_hooks.routes", "api.cli.bootstrap",
    "api.contract.specification", "api.deliveries.routes", "api.deliveries.sender",
    "api.desk.routes.screenings", "api.fhir.routes.operations", "api.forms.routes.intake",
    "api.http.server", "api.notifications.sender", "api.oauth.routes", "api.patients.routes",
    "api.score.routes", "api.screenings.routes", "api.store.operations.startup",
    "api.system.routes.health", "dbos",
]  # fmt: skip
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(PRELOADED)


def do_nothing() -> None:
    """Prepare nothing."""


class ForkedProgram:
    """`nociscreen` with these arguments in a process of its own; used like a `Popen`."""

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        errors: Path | str = os.devnull,
        text: Path | str = os.devnull,
        prepare: Callable[[], None] = do_nothing,
    ) -> None:
        reader, writer = FORKING.Pipe(duplex=False)
        streams = (Path(text), writer, Path(errors))
        self._process = FORKING.Process(
            target=_run_program, args=(tuple(words), dict(environment), folder, streams, prepare)
        )
        self._process.start()
        writer.close()
        self.stdout = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
        reader.close()
        self.pid: int = self._process.pid or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.wait()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def run_program(
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    stdin_text: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `nociscreen` to its end."""
    with TemporaryDirectory() as temporary:
        text, errors = Path(temporary, "text"), Path(temporary, "errors")
        text.write_text(stdin_text or "", encoding="utf-8")
        with ForkedProgram(words, environment, folder, errors, text) as program:
            output = program.stdout.read()
            code = program.wait(60)
        assert code is not None, "the program did not end"
        return subprocess.CompletedProcess(words, code, output, errors.read_text(encoding="utf-8"))


def _run_program(
    words: tuple[str, ...],
    environment: dict[str, str],
    folder: Path,
    streams: tuple[Path, Connection, Path],
    prepare: Callable[[], None],
) -> None:
    """Become the program: its arguments, variables, folder and streams; end as it ends."""
    from api.cli import main

    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    text, output, errors = streams
    os.dup2(os.open(text, os.O_RDONLY), 0)
    os.dup2(output.fileno(), 1)
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), 2)
    output.close()
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["nociscreen", *words]
    prepare()
    main()
