"""Our own program in processes of its own: run to its end, or serving until it is stopped."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from support.servers.forked_program import ForkedProgram, do_nothing, run_program

from api.settings import Settings


class RunningServer(NamedTuple):
    """A service that listens here."""

    address: str
    process: ForkedProgram


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
    if settings.backup_database_url is not None:
        backup_url = settings.backup_database_url.get_secret_value()
        environment["NOCISCREEN_BACKUP_DATABASE_URL"] = backup_url
    inherited = [name for name in os.environ if name.startswith("NOCISCREEN_")]
    full_environment = os.environ | dict.fromkeys(inherited) | environment | more
    return {name: value for name, value in full_environment.items() if value is not None}


def run(
    settings: Settings, *words: object, stdin_text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """What the program prints and how it ends."""
    folder = settings.database_file.parent
    return run_program([*map(str, words)], environment(settings), folder, stdin_text)


def issue_first_token(settings: Settings) -> str:
    """Create the store with its first client, and return a token of that client."""
    assert run(settings, "admin", "first").returncode == 0
    return run(settings, "token", "--minutes", "15").stdout.strip()


@contextmanager
def serving(
    settings: Settings,
    log: Path | None = None,
    prepare: Callable[[], None] = do_nothing,
    port: int = 0,
    words: Sequence[str] = (),
    **more: str | None,
) -> Iterator[RunningServer]:
    """A real server on this port, or a free one; `words` are further options."""
    words = ["serve", "--port", str(port), *words]
    folder = settings.database_file.parent
    variables, errors = environment(settings, **more), log or os.devnull
    with ForkedProgram(words, variables, folder, errors, prepare=prepare) as process:
        match = re.search(r"http://\S+", process.stdout.readline())
        try:
            assert match, "the service did not start"
            yield RunningServer(match[0], process)
        finally:
            process.terminate()
