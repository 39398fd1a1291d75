"""CPU seconds of a start: `nociscreen --help`, `score` of one file, and a service that listens."""

import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.cpu import read_cpu_seconds, time_command
from bench.figures import Figure
from bench.service import INTAKE, PROGRAM, build_environment, run_command, start_service

STARTS = 5
GOALS = {"nociscreen --help": 0.25, "nociscreen score of one file": 0.5, "service ready": 1.2}


def measure_starts() -> Iterator[Figure]:
    """Yield the three rows; each value is the median of the CPU seconds of a few starts."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "intake.json"
        file.write_text(json.dumps(INTAKE), encoding="utf-8")
        commands = ([PROGRAM, "--help"], [PROGRAM, "score", str(file)])
        for what, command in zip(GOALS, commands, strict=False):
            time_command(command)
            yield _describe(what, [time_command(command).cpu_ms / 1000 for _ in range(STARTS)])
        environment = build_environment(folder)
        run_command(environment, "admin", "first")
        yield _describe("service ready", [_start_service(environment) for _ in range(STARTS)])


def _start_service(environment: dict[str, str]) -> float:
    with start_service(environment) as service:
        return read_cpu_seconds(service.pid)


def _describe(what: str, seconds: list[float]) -> Figure:
    median = statistics.median(seconds)
    name = f"{what}: CPU seconds, at most"
    return Figure(name, 0, 0, median * 1000, median, GOALS[what], at_most=True)
