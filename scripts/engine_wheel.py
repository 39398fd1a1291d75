"""Writes the scorer as a wheel of its own, `nociscreen-engine`, into the folder that is named.

It has `scoring`, `schemas` and the rulebooks of this tree under the importable name
`nociscreen_engine`, which cannot collide, and needs pydantic and Polars alone. The same tree gives
the same wheel, byte for byte.
"""

import base64
import hashlib
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "nociscreen_engine"
FOLDERS = ("scoring", "schemas")
NEEDED = ("polars", "pydantic")
FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""The time of each member, the earliest that a ZIP archive can have."""

IMPORT = re.compile(rf"^(\s*(?:from|import)\s+)({'|'.join(FOLDERS)})\b", re.MULTILINE)
INIT = f'''"""Scores intakes by the rulebooks of nociscreen: one by one, or as columns."""

from {PACKAGE}.scoring.catalogue import load_catalogue
from {PACKAGE}.scoring.columns.frames import score_columns, score_frame
from {PACKAGE}.scoring.engine import assess

__all__ = ["assess", "load_catalogue", "score_columns", "score_frame"]
'''


def main() -> None:
    """Write the wheel and print its path."""
    print(write_wheel(Path(sys.argv[1])))


def write_wheel(folder: Path) -> Path:
    """Write the wheel into a folder and return its path."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = project["version"]
    record_folder = f"{PACKAGE}-{version}.dist-info"
    members = dict(list_members())
    members[f"{record_folder}/METADATA"] = _build_metadata(project).encode()
    members[f"{record_folder}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: nociscreen\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    members[f"{record_folder}/licenses/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    record = f"{record_folder}/RECORD"
    members[record] = _build_record(members, record).encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{PACKAGE}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, FIRST_DAY)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o100644 << 16
            archive.writestr(member, content)
    return wheel


def list_members() -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each file of the package, in order."""
    yield f"{PACKAGE}/__init__.py", INIT.encode()
    yield f"{PACKAGE}/py.typed", b""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*")):
            if not file.is_file() or "__pycache__" in file.parts:
                continue
            content = file.read_bytes()
            if file.suffix == ".py":
                content = rewrite_imports(content.decode()).encode()
            yield f"{PACKAGE}/{file.relative_to(ROOT).as_posix()}", content


def rewrite_imports(source: str) -> str:
    """Return the source of a module with its imports of our packages from the new name."""
    return IMPORT.sub(rf"\1{PACKAGE}.\2", source)


def _build_metadata(project: dict) -> str:
    needed = [line for line in project["dependencies"] if re.split(r"[\[><=]", line)[0] in NEEDED]
    extras = project["optional-dependencies"]
    lines = [
        "Metadata-Version: 2.4",
        "Name: nociscreen-engine",
        f"Version: {project['version']}",
        "Summary: The scorer of nociscreen, without the service",
        f"License-Expression: {project['license']}",
        "License-File: LICENSE",
        "Classifier: Private :: Do Not Upload",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {line}" for line in needed),
    ]
    for extra in ("arrow", "spark"):
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {line} ; extra == '{extra}'" for line in extras[extra]]
    return "\n".join(lines) + "\n"


def _build_record(members: dict[str, bytes], record: str) -> str:
    lines = [
        f"{name},sha256={_encode_digest(content)},{len(content)}"
        for name, content in members.items()
    ]
    return "\n".join([*lines, f"{record},,"]) + "\n"


def _encode_digest(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


if __name__ == "__main__":
    main()
