"""The wording of every language is whole: same phrases, same places, and all of them used."""

import re
from pathlib import Path

import pytest

from reports.phrases import list_languages, load_phrases

PACKAGE = Path(__file__).parents[2] / "reports"
OTHER_LANGUAGES = [language for language in list_languages() if language != "en"]
CODE = "\n".join(file.read_text() for file in (*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.j2")))


def list_placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
def test_another_language_has_the_same_phrases_with_the_same_places(language):
    english, other = load_phrases().words, load_phrases(language).words
    assert english.keys() == other.keys()
    for phrase, text in english.items():
        assert list_placeholders(text) == list_placeholders(other[phrase]), phrase


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
def test_another_language_is_marked_as_not_validated_and_the_report_prints_it(language):
    from support.reports.report_examples import build_example_document, list_texts

    notice = load_phrases(language).not_validated
    assert notice
    for kind in ("clinician", "patient"):
        assert notice in list_texts(
            build_example_document("widespread_pain", kind, language=language).blocks
        )
    assert load_phrases().not_validated is None


def test_every_phrase_is_said_somewhere():
    made_up = re.compile(
        r"(by|state|status|column|sheet_column|sheet_state|sheet_status|sheet_cycle|sheet_talk"
        r"|sheet_resource|sheet_nociplastic|sheet_do|sheet_number|sheet_say|sheet_lead|sheet_today_nociplastic"
        r"|sheet_plain|sheet_flag_nociplastic|rung_nociplastic|in)_\w+|patterns_\w+_are"
    )
    unused = [
        phrase
        for phrase in load_phrases().words
        if not made_up.fullmatch(phrase)
        and not phrase.startswith("pattern_nociplastic_")
        and not re.search(f"[\"']{phrase}[\"']", CODE)
    ]
    assert unused == []


def test_every_phrase_that_is_named_exists():
    phrases_used = set(re.findall(r"say\(\s*\"([a-z_0-9]+)\"", CODE))
    assert phrases_used <= load_phrases().words.keys()


def test_a_language_without_wording_is_an_error():
    with pytest.raises(KeyError):
        load_phrases("xx")
