"""Guides of docs/ whose commands a test types: the blocks, what they print, and what is shown."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(
    r"^```sh\n(.*?)^```\n(?:\n```(?:text|json)\n(.*?)^```)?", re.MULTILINE | re.DOTALL
)
_MARK = "=== block ==="


class GuideBlock(NamedTuple):
    """Commands of a guide, and the answer that is shown below them, if any."""

    commands: str
    answer: str | None


def read_blocks(page: str) -> list[GuideBlock]:
    """Return the blocks of shell commands of a page, in order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [GuideBlock(match[1], match[2]) for match in _BLOCK.finditer(text)]


def run_blocks(blocks: list[GuideBlock], folder: Path, variables: Mapping[str, str]) -> list[str]:
    """Type the blocks one after the other into one shell; return what each printed."""
    script = f"\nprintf '\\n{_MARK}\\n'\n".join(block.commands for block in blocks)
    process = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=os.environ | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-2000:]
    return process.stdout.split(f"\n{_MARK}\n")


def matches_answer(answer: str, output: str) -> bool:
    """Return whether the output is the answer shown; `...` stands for anything."""
    parts = map(re.escape, answer.strip().split("..."))
    return re.fullmatch(".*".join(parts), output.strip(), re.DOTALL) is not None
