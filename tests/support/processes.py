"""Our own program in processes of its own: run to its end, or serving until it is stopped."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from api.settings import Settings

PROGRAM = str(Path(sys.executable).with_name("nociscreen"))


class RunningServer(NamedTuple):
    """A service that listens here."""

    address: str
    process: subprocess.Popen


def environment(settings: Settings, **more: str | None) -> dict[str, str]:
    """The variables that name this store; one that is None is not set."""
    folder = settings.database_file.parent
    environment = {
        "NOCISCREEN_DATABASE_FILE": str(settings.database_file),
        "NOCISCREEN_KEY_RING_FILE": str(settings.key_ring_file),
        "NOCISCREEN_FIRST_CLIENT_FILE": str(folder / "first-client.json"),
        "NOCISCREEN_PUBLIC_URL": settings.public_url,
    }
    if settings.withdrawals_file is not None:
        environment["NOCISCREEN_WITHDRAWALS_FILE"] = str(settings.withdrawals_file)
    if settings.database_url is not None:
        environment["DATABASE_URL"] = settings.database_url.get_secret_value()
    full_environment = os.environ | environment | more
    return {name: value for name, value in full_environment.items() if value is not None}


def run(
    settings: Settings, *words: object, stdin_text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """What the program prints and how it ends."""
    return subprocess.run(
        [PROGRAM, *map(str, words)],
        input=stdin_text,
        capture_output=True,
        text=True,
        env=environment(settings),
        cwd=settings.database_file.parent,
        check=False,
        timeout=60,
    )


@contextmanager
def serving(
    settings: Settings,
    log: Path | None = None,
    program: tuple[str, ...] = (PROGRAM,),
    port: int = 0,
    **more: str | None,
) -> Iterator[RunningServer]:
    """A real server on this port, or a free one."""
    with (
        (log or Path(os.devnull)).open("a") as errors,
        subprocess.Popen(
            [*program, "serve", "--port", str(port)],
            env=environment(settings, **more),
            cwd=settings.database_file.parent,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        line = process.stdout.readline()
        match = re.search(r"http://\S+", line)
        try:
            assert match, "the service did not start"
            yield RunningServer(match[0], process)
        finally:
            process.terminate()
