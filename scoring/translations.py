"""Puts a rulebook and its assessments into another language, by translations that ship with it."""

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from schemas.assessments.assessment import Assessment
from schemas.rulebooks.rulebook import Rulebook
from schemas.rulebooks.translation import TRANSLATED_FIELDS, Translation, apply_translation
from scoring.answer_model import validate_answers
from scoring.catalogue import RULEBOOKS_FOLDER, RulebookError
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.explanation import SentenceStyle


class TranslationMismatchError(Exception):
    """The stored answers, assessed again, give another result than the stored one. We must act."""


def translate_rulebook(loaded: LoadedRulebook, language: str) -> Rulebook | None:
    """Return the rulebook in this language, or None if there is no translation.

    Raises RulebookError if the translation was made from a different rulebook file.
    """
    translated = _compile_translation(loaded, language)
    return translated.rulebook if translated else None


def translate_assessment(
    loaded: LoadedRulebook, language: str, answers: Mapping[str, Any], assessment: Assessment
) -> Assessment:
    """Return an assessment of these answers in a language that the rulebook is translated into.

    The answers are assessed again in the other words, and all but the words must come out equal.
    Raises TranslationMismatchError.
    """
    translated = _compile_translation(loaded, language)
    if translated is loaded:
        return assessment
    if translated is None:
        raise RulebookError(f"{loaded.name} is not translated into {language}")
    attested = not any(
        limitation.where_not_attested and limitation.text in assessment.limitations
        for limitation in loaded.rulebook.limitation
    )
    valid_answers = validate_answers(loaded, answers)
    result = assess(translated, valid_answers, attested=attested)
    if _drop_texts(result) != _drop_texts(assessment):
        raise TranslationMismatchError(f"{loaded.name} now gives another result in {language}")
    return result


_LISTS_OF_TEXTS = ("limitations", "cautions", "signs")


@cache
def _compile_translation(loaded: LoadedRulebook, language: str) -> LoadedRulebook | None:
    header = loaded.rulebook.rulebook
    if language == header.language:
        return loaded
    file = (
        RULEBOOKS_FOLDER / header.instrument / "translations" / f"{header.version}.{language}.toml"
    )
    if not file.exists():
        return None
    translation = Translation.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    source = (loaded.name, loaded.sha256, language)
    if (translation.rulebook, translation.sha256, translation.language) != source:
        raise RulebookError(
            f"{file.name}: is not a translation of the released file of {loaded.name}"
        )
    return LoadedRulebook(
        apply_translation(loaded.rulebook, translation),
        loaded.sha256,
        SentenceStyle(translation.decimal_mark, translation.lowercase_labels),
    )


def _drop_texts(assessment: Assessment) -> Any:
    """Return the assessment as JSON without its texts; of lists of texts only their number."""
    return _drop_text_fields(assessment.model_dump(mode="json"))


def _drop_text_fields(value: Any) -> Any:
    match value:
        case dict():
            return {
                name: len(part) if name in _LISTS_OF_TEXTS else _drop_text_fields(part)
                for name, part in value.items()
                if name not in TRANSLATED_FIELDS
            }
        case list():
            return [_drop_text_fields(part) for part in value]
    return value
