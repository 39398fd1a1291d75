"""Walks the four tutorials as a new user does, and prints the steps and the seconds of each."""

import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.builders import build_store_settings  # noqa: E402 - tests are not a package
from support.guides import read_blocks, run_blocks  # noqa: E402
from support.servers.processes import environment, issue_first_token, serving  # noqa: E402

TUTORIALS = ("integrator", "therapist", "analyst", "rulebook-author")
SAMPLES = ("api/contract/examples", "docs/tutorials/samples", "scoring/rulebooks/phq4")


def main() -> None:
    """Print a line for each tutorial: its commands, and how long the machine took."""
    print(f"{'tutorial':<16} {'blocks':>6} {'commands':>8} {'seconds':>8}")
    for name in TUTORIALS:
        blocks = read_blocks(f"tutorials/{name}.md")
        lines = [line for block in blocks for line in block.commands.splitlines() if line.strip()]
        commands = [line for line in lines if not line.startswith((" ", "#"))]
        seconds = walk(name)
        print(f"{name:<16} {len(blocks):>6} {len(commands):>8} {seconds:>8.1f}", flush=True)


def walk(name: str) -> float:
    """Type the blocks of a tutorial in a new folder, and return the seconds that it took."""
    blocks = read_blocks(f"tutorials/{name}.md")
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        for sample in SAMPLES:
            shutil.copytree(ROOT / sample, clone / sample)
        settings = build_store_settings(Path(folder))
        if name != "integrator":
            return time_blocks(blocks, clone, environment(settings))
        issue_first_token(settings)
        with serving(settings) as server:
            service = {"SERVICE": server.address}
            return time_blocks(blocks, clone, environment(settings) | service)


def time_blocks(blocks: list, folder: Path, variables: dict[str, str]) -> float:
    """Return the seconds that the commands took, without those of the reader."""
    start = time.monotonic()
    run_blocks(blocks, folder, variables)
    return time.monotonic() - start


if __name__ == "__main__":
    main()
