"""Runs commands of the CLI in this process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import structlog
from support.servers.processes import environment
from typer.testing import CliRunner

from api.cli import main
from api.observability import structured_logging

UNKNOWN_ORGANISATION = "o-6f6f6f6f-0000-4000-8000-00000000dead"


def run_command(settings, *words) -> subprocess.CompletedProcess[str]:
    """Run a command; return its output and exit status."""
    jobs_file = settings.database_file.with_name("jobs.db")
    variables = environment(settings, NOCISCREEN_JOBS_FILE=str(jobs_file))
    with logging_restored():
        outcome = CliRunner().invoke(main, [str(word) for word in words], env=variables)
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return subprocess.CompletedProcess(words, outcome.exit_code, outcome.stdout, outcome.stderr)


@contextmanager
def logging_restored() -> Iterator[None]:
    """Let a command log to its own standard error, and restore the configuration afterwards."""

    def log_to_standard_error() -> None:
        factory = structlog.PrintLoggerFactory(sys.stderr)
        structlog.configure(logger_factory=factory, cache_logger_on_first_use=False)

    config = structlog.get_config()
    try:
        with patch.object(structured_logging, "configure_logging", log_to_standard_error):
            yield
    finally:
        structlog.configure(**config)


def run_json_command(settings, *words):
    """Run a command that must succeed; return its output as JSON."""
    process = run_command(settings, *words)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def run_failing_command(settings, *words) -> str:
    """Run a command that must end with status 2; return its error output."""
    process = run_command(settings, *words)
    assert (process.returncode, process.stdout) == (2, "")
    assert "Traceback" not in process.stderr
    return process.stderr
