"""Commands run in this process, as a terminal would run them."""

import json
import subprocess

from support.processes import environment
from typer.testing import CliRunner

from api.cli import main

NOBODY = "o-6f6f6f6f-0000-4000-8000-00000000dead"


def run(settings, *words) -> subprocess.CompletedProcess[str]:
    """What the program prints and how it ends."""
    done = CliRunner().invoke(main, [str(word) for word in words], env=environment(settings))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def said(settings, *words):
    """What a command that must do its work prints, read as JSON."""
    done = run(settings, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def failed(settings, *words) -> str:
    """What a command says that must not do its work."""
    done = run(settings, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr
