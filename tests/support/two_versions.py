"""Catalogues in which both versions of nociplastic are active."""

import re
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

from support.second_release import load_released_catalogue

from scoring.catalogue import RULEBOOKS_FOLDER, Catalogue, hash_file

FIRST, SECOND = "nociplastic@1.0.0", "nociplastic@2.0.0"
_ENTRY = """
[[entry]]
instrument = "nociplastic"
version = "{version}"
file = "{file}"
status = "{status}"
released_on = 2026-12-01
approver = "a test"
sha256 = "{sha256}"
"""


@cache
def load_two_versions(first: str = "active", second: str = "active") -> Catalogue:
    """Return both versions, each with this status: draft, active or retired."""
    if (first, second) == ("active", "active"):
        return load_released_catalogue()
    with TemporaryDirectory() as folder:
        copy = Path(copytree(RULEBOOKS_FOLDER, Path(folder) / "rulebooks"))
        index = (copy / "index.toml").read_text(encoding="utf-8")
        text = re.sub(r'\[\[entry\]\]\ninstrument = "nociplastic"\n(?:.+\n)+', "", index)
        for version, status in (("1.0.0", first), ("2.0.0", second)):
            file = f"nociplastic/{version}.toml"
            sha256 = hash_file(copy / file)
            text += _ENTRY.format(version=version, file=file, status=status, sha256=sha256)
        (copy / "index.toml").write_text(text, encoding="utf-8")
        return Catalogue(copy)
