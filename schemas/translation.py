"""The shape of a translation: every text of one released rulebook in another language.

It stands beside the rulebook, which never changes by a byte, and names the bytes it translates. A
text is found by the path of its place: `question/age_years/label`, `limitation/0/text`.
"""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints

from schemas.base import Frozen, Text
from schemas.rulebook import Rulebook

UNTRANSLATED = {"rationale", "attribution", "copyright", "summary"}
"""What reports and questionnaires do not print, or print as their authors ask."""
TEXTS = {
    *("label", "text", "help", "intro", "finding", "because", "note", "title", "intended_use"),
    *("points_are", "meaning", "suspect", "action", "counter_evidence", "population", "evidence"),
    *("certainty", "unit"),
}


class Translation(Frozen):
    """`translations/<version>.<language>.toml`."""

    rulebook: str
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
    validated: bool
    translator: Text
    texts: dict[str, Text]


def places(rulebook: Rulebook) -> dict[str, str]:
    """Every text to translate, by its path, in the order of the rulebook."""
    return dict(_texts(rulebook, ()))


def translated(rulebook: Rulebook, translation: Translation) -> Rulebook:
    """The rulebook in the other language, weighing exactly the same."""
    said: Rulebook = _said(rulebook, (), translation.texts)
    return said


def _texts(part: BaseModel, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, value in _members(part):
        if isinstance(value, str) and (name in TEXTS or path == ("wording",)):
            yield "/".join((*path, name)), value
        for step, each in _within(value):
            yield from _texts(each, (*path, name, *step))


def _said(part: Any, path: tuple[str, ...], texts: dict[str, str]) -> Any:
    changed: dict[str, Any] = {}
    for field, info in type(part).model_fields.items():
        name, value = info.alias or field, getattr(part, field)
        here = (*path, name)
        if isinstance(value, str):
            changed[field] = texts.get("/".join(here), value)
        elif isinstance(value, BaseModel):
            changed[field] = _said(value, here, texts)
        elif _within(value):
            changed[field] = tuple(
                _said(each, (*here, *step), texts) for step, each in _within(value)
            )
    return part.model_copy(update=changed)


def _members(part: BaseModel) -> Iterator[tuple[str, Any]]:
    for field, info in type(part).model_fields.items():
        name = info.alias or field
        if name not in UNTRANSLATED and name != "citation":
            yield name, getattr(part, field)


def _within(value: Any) -> list[tuple[tuple[str, ...], Any]]:
    """The parts inside a value, each with the step that leads to it."""
    if isinstance(value, BaseModel):
        return [((), value)]
    if isinstance(value, tuple) and value and all(isinstance(each, BaseModel) for each in value):
        return [((_key(each, place),), each) for place, each in enumerate(value)]
    return []


def _key(part: Any, place: int) -> str:
    for name in ("id", "number", "age"):
        if hasattr(part, name):
            return str(getattr(part, name))
    return str(place)
