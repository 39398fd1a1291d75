"""Classifies the change between two versions of a rulebook and the version number it needs.

major   some answers now score, band, flag or grade differently, or other answers are accepted
minor   evidence: citations, grades, findings, other explanations, next steps, limitations
patch   wording only
"""

from collections.abc import Mapping
from typing import Any, Literal

from schemas.rulebooks.rulebook import Rulebook

Change = Literal["major", "minor", "patch"]
_WORDS = {
    *("label", "text", "help", "intro", "note", "title", "summary", "intended_use", "points_are"),
    *("copyright", "meaning", "because", "finding", "rationale", "suspect", "action"),
    *("attribution", "unit", "topic", "language", "version", "settle", "words"),
}
_EVIDENCE = {
    *("citation", "citations", "grade_of_evidence", "evidence", "counter_evidence", "certainty"),
    *("population", "never_incidental", "at_age", "share"),
}
_EVIDENCE_BLOCKS = (
    *("citation", "finding", "next_step", "caution", "alternative", "contradiction"),
    *("limitation", "topic", "wording"),
)


def classify_change(old: Rulebook, new: Rulebook) -> Change | None:
    """Return the most significant kind of change between two rulebooks; None if they are equal."""
    before, after = old.model_dump(), new.model_dump()
    if _scoring_content(before) != _scoring_content(after):
        return "major"
    if _without(before, _WORDS) != _without(after, _WORDS):
        return "minor"
    before["rulebook"].pop("version")
    after["rulebook"].pop("version")
    return None if before == after else "patch"


def find_least_version(old: str, weight: Change) -> str:
    """Return the lowest version number that may follow `old` after a change of this kind."""
    major, minor, patch = (int(part) for part in old.split("."))
    match weight:
        case "major":
            return f"{major + 1}.0.0"
        case "minor":
            return f"{major}.{minor + 1}.0"
        case "patch":
            return f"{major}.{minor}.{patch + 1}"


def _scoring_content(book: Mapping[str, Any]) -> Any:
    """Return everything that can change a status, a total, a band, a flag or a grading."""
    blocks = {name: block for name, block in book.items() if name not in _EVIDENCE_BLOCKS}
    blocks["criterion"] = [
        {name: part for name, part in criterion.items() if name != "grade"}
        for criterion in book["criterion"]
    ]
    return _without(blocks, _WORDS | _EVIDENCE)


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _without(part, names) for name, part in value.items() if name not in names}
    if isinstance(value, list | tuple):
        return [_without(part, names) for part in value]
    return value
