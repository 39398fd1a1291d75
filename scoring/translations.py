"""Loads a rulebook in another language from the translation files that ship with it."""

import tomllib
from functools import cache

from schemas.rulebook import Rulebook
from schemas.translation import Translation, apply_translation
from scoring.catalogue import RULEBOOKS_FOLDER, RulebookError
from scoring.compiled_rulebook import LoadedRulebook


def translate_rulebook(loaded: LoadedRulebook, language: str) -> Rulebook | None:
    """Return the rulebook in this language, or None if there is no translation.

    Raises RulebookError if the translation was made from a different rulebook file.
    """
    if language == loaded.rulebook.rulebook.language:
        return loaded.rulebook
    return _read_translation(loaded, language)


@cache
def _read_translation(loaded: LoadedRulebook, language: str) -> Rulebook | None:
    header = loaded.rulebook.rulebook
    file = (
        RULEBOOKS_FOLDER / header.instrument / "translations" / f"{header.version}.{language}.toml"
    )
    if not file.exists():
        return None
    translation = Translation.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    source = (loaded.name, loaded.sha256, language)
    if (translation.rulebook, translation.sha256, translation.language) != source:
        raise RulebookError(f"{file.name}: is no translation of {loaded.name} as it was released")
    return apply_translation(loaded.rulebook, translation)
