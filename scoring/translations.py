"""Translations: the files beside a rulebook in, the rulebook in another language out."""

import tomllib
from functools import cache

from schemas.rulebook import Rulebook
from schemas.translation import Translation, translated
from scoring.catalogue import SHIPPED, RulebookError
from scoring.compiled_rulebook import LoadedRulebook


def in_language(loaded: LoadedRulebook, language: str) -> Rulebook | None:
    """The rulebook in this language; None where it was not translated.

    Raises RulebookError where the translation is of other bytes.
    """
    if language == loaded.rulebook.rulebook.language:
        return loaded.rulebook
    return _read(loaded, language)


@cache
def _read(loaded: LoadedRulebook, language: str) -> Rulebook | None:
    header = loaded.rulebook.rulebook
    file = SHIPPED / header.instrument / "translations" / f"{header.version}.{language}.toml"
    if not file.exists():
        return None
    given = Translation.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    if (given.rulebook, given.sha256, given.language) != (loaded.name, loaded.sha256, language):
        raise RulebookError(f"{file.name}: is no translation of {loaded.name} as it was released")
    return translated(loaded.rulebook, given)
