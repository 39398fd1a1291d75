"""Kill -9 of `nociscreen batch`: no output file appears, and `--resume` continues."""

import os
import time
from contextlib import suppress

import pytest
from support.batch_files import example
from support.servers.forked_program import ForkedProgram

ROWS = 60_000
PATIENCE = 60.0


@pytest.fixture
def source(tmp_path):
    """A file of several chunks; each row is named by its number."""
    answers = {name: answer for name, answer in example().items() if not isinstance(answer, list)}
    cells = [
        str(answer).lower() if isinstance(answer, bool) else str(answer)
        for answer in answers.values()
    ]
    body = ",".join(cells)
    file = tmp_path / "in.csv"
    lines = (f"r{number},{body}\n" for number in range(ROWS))
    file.write_text(f"row_id,{','.join(answers)}\n" + "".join(lines), encoding="utf-8")
    return file


def start_run(source, out, *more):
    words = ["batch", str(source), "-o", str(out), *more]
    return ForkedProgram(words, os.environ, source.parent)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_killed_run_leaves_no_file_and_goes_on_without_repeating(tmp_path, source, suffix):
    full_output, out = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    with start_run(source, full_output) as whole_run:
        assert whole_run.wait(PATIENCE) == 0
    parts = tmp_path / f".{out.name}.parts"
    with start_run(source, out) as process:
        until = time.monotonic() + PATIENCE
        while not (finished_parts := sorted(parts.glob("*.json"))):
            assert process.poll() is None
            assert time.monotonic() < until
        process.kill()
    assert not out.exists()
    times = {file: file.stat().st_mtime_ns for file in finished_parts}
    with start_run(source, out, "--resume") as process:
        while process.poll() is None:
            for file, at in times.items():
                with suppress(FileNotFoundError):  # all parts go when the file is complete
                    assert file.stat().st_mtime_ns == at
    assert process.returncode == 0
    assert out.read_bytes() == full_output.read_bytes()
    assert not parts.exists()
