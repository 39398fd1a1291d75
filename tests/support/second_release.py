"""The rulebooks as they ship, with nociplastic 2.0.0 released."""

from datetime import date
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any

from support.scoring.second_rulebook import load_second
from support.scoring.vignettes import SECOND, SECOND_FOLDER, Vignette, load_vignettes

from scoring.catalogue import RULEBOOKS_FOLDER, Catalogue, load_catalogue
from scoring.engine import assess

WORKED_CASES = [
    case for case in load_vignettes(SECOND_FOLDER, SECOND) if case.file == "worked_cases"
]
SCORED, CONFIDENTIAL, _, _, UNSETTLED, EXPLAINED, WITHHELD, _ = WORKED_CASES
_ENTRY = """
[[entry]]
instrument = "nociplastic"
version = "2.0.0"
file = "nociplastic/2.0.0.toml"
status = "active"
released_on = {released_on}
approver = "a test"
sha256 = "{sha256}"
"""


@cache
def load_released_catalogue() -> Catalogue:
    """Return the catalogue in which nociplastic 2.0.0 is active."""
    if any(entry.name == "nociplastic@2.0.0" for entry in load_catalogue().entries):
        return load_catalogue()
    with TemporaryDirectory() as folder:
        copy = Path(copytree(RULEBOOKS_FOLDER, Path(folder) / "rulebooks"))
        entry = _ENTRY.format(released_on=date(2026, 12, 1), sha256=load_second().sha256)
        with (copy / "index.toml").open("a", encoding="utf-8") as index:
            index.write(entry)
        return Catalogue(copy)


def assess_case(case: Vignette) -> Any:
    """Return the assessment of a case by nociplastic 2.0.0."""
    return assess(SECOND, case.answers, attested=case.clinician_named)
