"""CPU seconds of processes: of a server with its children, and of commands that have ended."""

import os
import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from bench.figures import Sample

SOME_ROWS_BAD = 1
_TICKS = os.sysconf("SC_CLK_TCK")


def read_cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of its children, ended ones included."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    own = sum(map(int, fields[11:15])) / _TICKS
    return own + sum(read_cpu_seconds(int(child)) for child in children)


def time_command(command: Sequence[str], size: int = 1) -> Sample:
    """Run a command to its end; return how many of `size` things a second, and their CPU."""
    cpu_before, start = _children_cpu(), perf_counter()
    silent = subprocess.DEVNULL
    code = subprocess.run(command, check=False, stdout=silent, stderr=silent).returncode
    seconds = perf_counter() - start
    if code > SOME_ROWS_BAD:
        raise SystemExit(f"{command[:2]} ended with {code}")
    return Sample(size / seconds, (_children_cpu() - cpu_before) * 1000 / size)


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
