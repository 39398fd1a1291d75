"""The texts of notifications: complete in every language, and without clinical words."""

import re

import pytest

from api.notifications.texts import compose_text, list_text_languages, load_texts
from api.web.page_texts import list_languages
from schemas.notification import NotificationContent

CLINICAL_WORDS = re.compile(
    r"pain|schmerz|dolor|screening|suicid|suizid|flag|warnzeichen|alarma|T0|T1|nociplast",
    re.IGNORECASE,
)


def list_placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


def test_exist_in_the_languages_of_the_pages():
    assert set(list_text_languages()) == set(list_languages())


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_have_the_same_placeholders_and_no_clinical_word(language):
    texts, english = load_texts(language), load_texts("en")
    assert texts.keys() == english.keys()
    for kind, text in texts.items():
        for part in ("subject", "body"):
            own, original = getattr(text, part), getattr(english[kind], part)
            assert list_placeholders(own) == list_placeholders(original)
            assert CLINICAL_WORDS.findall(own) == []
        assert (text.sms is None) == (english[kind].sms is None)


def test_fall_back_to_english():
    content = NotificationContent(language="fr", url="https://n.example")
    assert compose_text("invitation", content, "Clinic", "").subject == (
        "A questionnaire from Clinic"
    )
