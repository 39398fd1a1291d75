"""A catalogue in which the second rulebook is released, whatever the index of the product says."""

import shutil
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from scoring.catalogue import RULEBOOKS_FOLDER, Catalogue, hash_file

FIRST, SECOND = "nociplastic@1.0.0", "nociplastic@2.0.0"
_ENTRY = """
[[entry]]
instrument = "nociplastic"
version = "{version}"
file = "nociplastic/{version}.toml"
status = "{status}"
released_on = {day}
approver = "a test"
sha256 = "{sha256}"
"""


@cache
def load_two_versions(first: str = "active", second: str = "active") -> Catalogue:
    """Return both versions of nociplastic, each with this status."""
    with TemporaryDirectory(prefix="nociscreen-rulebooks-") as folder:
        rulebooks = Path(folder) / "rulebooks"
        shutil.copytree(RULEBOOKS_FOLDER, rulebooks)
        index = tomllib.loads((rulebooks / "index.toml").read_text(encoding="utf-8"))
        statuses = {"1.0.0": first, "2.0.0": second}
        others = [entry for entry in index["entry"] if entry["instrument"] != "nociplastic"]
        text = "".join(
            _ENTRY.format(
                version=version,
                status=status,
                day=date(2026, 11, 24),
                sha256=hash_file(rulebooks / "nociplastic" / f"{version}.toml"),
            )
            for version, status in statuses.items()
        )
        for entry in others:
            values = {
                name: value if isinstance(value, date) else f'"{value}"'
                for name, value in entry.items()
            }
            text += (
                "\n[[entry]]\n" + "\n".join(f"{name} = {v}" for name, v in values.items()) + "\n"
            )
        (rulebooks / "index.toml").write_text(text, encoding="utf-8")
        return Catalogue(rulebooks)
