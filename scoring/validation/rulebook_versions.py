"""Versions: what a new version of a rulebook changes, and the number that says so.

major   some answers now score, band, flag or grade differently, or other answers are taken
minor   evidence: citations, grades, findings, options for the clinician, limits
patch   words alone
"""

from collections.abc import Mapping
from typing import Any, Literal

from schemas.rulebook import Rulebook

Change = Literal["major", "minor", "patch"]
_WORDS = {
    *("label", "text", "help", "intro", "note", "title", "summary", "intended_use", "points_are"),
    *(
        "copyright",
        "meaning",
        "because",
        "finding",
        "rationale",
        "suspect",
        "action",
        "attribution",
    ),
    *("unit", "topic", "language", "version"),
}
_EVIDENCE = {
    *("citation", "citations", "grade_of_evidence", "evidence", "counter_evidence", "certainty"),
    *("population", "never_incidental", "at_age", "share"),
}
_EVIDENCE_BLOCKS = ("citation", "finding", "next_step", "limitation", "topic", "wording")


def change(old: Rulebook, new: Rulebook) -> Change | None:
    """The most weighty change between two rulebooks; None where they say the same."""
    before, after = old.model_dump(), new.model_dump()
    if _weight(before) != _weight(after):
        return "major"
    if _without(before, _WORDS) != _without(after, _WORDS):
        return "minor"
    before["rulebook"].pop("version")
    after["rulebook"].pop("version")
    return None if before == after else "patch"


def least_version(old: str, weight: Change) -> str:
    """The lowest version number that may follow `old` with such a change."""
    major, minor, patch = (int(part) for part in old.split("."))
    match weight:
        case "major":
            return f"{major + 1}.0.0"
        case "minor":
            return f"{major}.{minor + 1}.0"
        case "patch":
            return f"{major}.{minor}.{patch + 1}"


def _weight(book: Mapping[str, Any]) -> Any:
    """All that can change a status, a total, a band, a flag or a grading."""
    kept = {name: block for name, block in book.items() if name not in _EVIDENCE_BLOCKS}
    kept["criterion"] = [
        {name: part for name, part in criterion.items() if name != "grade"}
        for criterion in book["criterion"]
    ]
    return _without(kept, _WORDS | _EVIDENCE)


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _without(part, names) for name, part in value.items() if name not in names}
    if isinstance(value, list | tuple):
        return [_without(part, names) for part in value]
    return value
