"""Runs the steps of deploy/Dockerfile in a clean folder and writes a report with what they made.

The folder stands for the root of the image: its paths under /opt, /usr/local/libexec and /build lie
inside. Users are not created and lists of packages are not removed.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
INTAKE = ROOT / "api" / "contract" / "examples" / "core_form.json"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def main() -> None:
    """Run COPY and RUN of each stage, then the program that they installed."""
    with tempfile.TemporaryDirectory(prefix="nociscreen-image-") as name:
        image = Path(name)
        folder = image / "build"
        folder.mkdir()
        for instruction, arguments in list_steps((ROOT / "deploy" / "Dockerfile").read_text()):
            print(instruction, arguments, flush=True)
            if instruction == "COPY":
                copy(arguments.split(), image, folder)
            else:
                run(re.sub(r"/(opt|usr/local/libexec)/", rf"{image}/\1/", arguments), folder)
        program = image / "opt" / "nociscreen" / "bin" / "nociscreen"
        report = image / "report.pdf"
        subprocess.run([program, "report", INTAKE, "-o", report], env=ENVIRONMENT, check=True)
        print(f"the installed program wrote a report of {report.stat().st_size} bytes")


def list_steps(text: str) -> list[tuple[str, str]]:
    """Return what can be run here."""
    steps = re.findall(r"^(COPY|RUN) (.+)$", text, re.MULTILINE)
    return [step for step in steps if not step[1].startswith(("--from", "useradd"))]


def copy(names: list[str], image: Path, folder: Path) -> None:
    """Copy from the project into the image."""
    *sources, place = names
    for source in sources:
        target = image / place.lstrip("/") if place.startswith("/") else folder / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)


def run(command: str, folder: Path) -> None:
    """Run a line of the image's build; lists of packages stay."""
    command = command.replace(" && rm -rf /var/lib/apt/lists/*", "")
    if subprocess.run(["sh", "-euc", command], cwd=folder, env=ENVIRONMENT, check=False).returncode:
        sys.exit("this step failed")


if __name__ == "__main__":
    main()
