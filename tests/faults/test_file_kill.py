"""Kill -9 of `nociscreen batch`: nothing stands under the file's name, and `--resume` goes on."""

import subprocess
import time
from contextlib import suppress

import pytest
from support.batch_files import example
from support.processes import PROGRAM

ROWS = 60_000
PATIENCE = 60.0


@pytest.fixture
def source(tmp_path):
    """A file of several chunks; each row is told by its number."""
    answers = {name: each for name, each in example().items() if not isinstance(each, list)}
    cells = [
        str(each).lower() if isinstance(each, bool) else str(each) for each in answers.values()
    ]
    body = ",".join(cells)
    file = tmp_path / "in.csv"
    lines = (f"r{number},{body}\n" for number in range(ROWS))
    file.write_text(f"row_id,{','.join(answers)}\n" + "".join(lines), encoding="utf-8")
    return file


def scored(source, out, *more):
    words = [PROGRAM, "batch", source, "-o", out, *more]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_killed_run_leaves_no_file_and_goes_on_without_repeating(tmp_path, source, suffix):
    whole, out = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    assert scored(source, whole).wait(PATIENCE) == 0
    parts = tmp_path / f".{out.name}.parts"
    with scored(source, out) as process:
        until = time.monotonic() + PATIENCE
        while not (done := sorted(parts.glob("*.json"))):
            assert process.poll() is None
            assert time.monotonic() < until
        process.kill()
    assert not out.exists()
    written = {each: each.stat().st_mtime_ns for each in done}
    with scored(source, out, "--resume") as process:
        while process.poll() is None:
            for each, at in written.items():
                with suppress(FileNotFoundError):  # all parts go when the file is whole
                    assert each.stat().st_mtime_ns == at
    assert process.returncode == 0
    assert out.read_bytes() == whole.read_bytes()
    assert not parts.exists()
