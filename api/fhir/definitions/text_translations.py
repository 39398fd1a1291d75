"""Adds the translations that ship with a rulebook to texts, by FHIR's translation extension."""

from functools import cache

from api.fhir.elements import EXTENSION_BASE, Resource
from schemas.rulebooks.translation import list_texts
from scoring.compiled_rulebook import LoadedRulebook
from scoring.translations import translate_rulebook

LANGUAGES = ("de", "es")


def translate_text(loaded: LoadedRulebook, element: str, *paths: str) -> Resource:
    """Return the sibling of an element with its translations; nothing if there are none.

    The texts at these paths of the translation are joined as sentences; a path that has no text is
    left out.
    """
    translations = []
    for language, texts in _list_translations(loaded):
        content = ". ".join(texts[path] for path in paths if path in texts)
        if content:
            parts = [
                {"url": "lang", "valueCode": language},
                {"url": "content", "valueString": content},
            ]
            translations.append({"url": f"{EXTENSION_BASE}/translation", "extension": parts})
    return {f"_{element}": {"extension": translations}} if translations else {}


@cache
def _list_translations(loaded: LoadedRulebook) -> tuple[tuple[str, dict[str, str]], ...]:
    return tuple(
        (language, list_texts(rulebook))
        for language in LANGUAGES
        if (rulebook := translate_rulebook(loaded, language)) is not None
    )
