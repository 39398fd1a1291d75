"""Models of a translation: every text of one released rulebook in another language.

A translation names the hash of the rulebook file it translates. Texts are identified by path:
`question/age_years/label`, `limitation/0/text`.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, StringConstraints

from schemas.base import FrozenModel, Sha256, Text
from schemas.rulebooks.rulebook import Rulebook

UNTRANSLATED_FIELDS = {"rationale", "attribution", "copyright", "summary"}
"""Fields that reports and questionnaires do not print, or print in the author's wording."""
TRANSLATED_FIELDS = {
    *("label", "text", "help", "intro", "finding", "because", "note", "title", "intended_use"),
    *("points_are", "meaning", "suspect", "action", "counter_evidence", "population", "evidence"),
    *("certainty", "unit", "settle", "words"),
}


class Translation(FrozenModel):
    """`translations/<version>.<language>.toml`."""

    rulebook: str
    sha256: Sha256
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
    validated: bool
    translator: Text
    decimal_mark: Literal[".", ","]
    lowercase_labels: bool
    texts: dict[str, Text]


def list_texts(rulebook: Rulebook) -> dict[str, str]:
    """Return every text to translate by its path, in rulebook order."""
    return dict(_iterate_texts(rulebook, ()))


def apply_translation(rulebook: Rulebook, translation: Translation) -> Rulebook:
    """Return the rulebook with translated texts; scoring is unchanged."""
    translated_rulebook: Rulebook = _replace_texts(rulebook, (), translation.texts)
    return translated_rulebook


def _iterate_texts(part: BaseModel, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, value in _translatable_fields(part):
        if isinstance(value, str) and (name in TRANSLATED_FIELDS or path == ("wording",)):
            yield "/".join((*path, name)), value
        for step, child in _children(value):
            yield from _iterate_texts(child, (*path, name, *step))


def _replace_texts(part: Any, path: tuple[str, ...], texts: dict[str, str]) -> Any:
    changed: dict[str, Any] = {}
    for field, info in type(part).model_fields.items():
        name, value = info.alias or field, getattr(part, field)
        field_path = (*path, name)
        if isinstance(value, str):
            changed[field] = texts.get("/".join(field_path), value)
        elif isinstance(value, BaseModel):
            changed[field] = _replace_texts(value, field_path, texts)
        elif _children(value):
            changed[field] = tuple(
                _replace_texts(child, (*field_path, *step), texts)
                for step, child in _children(value)
            )
    return part.model_copy(update=changed)


def _translatable_fields(part: BaseModel) -> Iterator[tuple[str, Any]]:
    for field, info in type(part).model_fields.items():
        name = info.alias or field
        if name not in UNTRANSLATED_FIELDS and name != "citation":
            yield name, getattr(part, field)


def _children(value: Any) -> list[tuple[tuple[str, ...], Any]]:
    """Return the models inside a value, each with its step of the path."""
    if isinstance(value, BaseModel):
        return [((), value)]
    if isinstance(value, tuple) and value and all(isinstance(child, BaseModel) for child in value):
        return [((_path_step(child, index),), child) for index, child in enumerate(value)]
    return []


def _path_step(part: Any, index: int) -> str:
    for name in ("id", "number", "age"):
        if hasattr(part, name):
            return str(getattr(part, name))
    return str(index)
