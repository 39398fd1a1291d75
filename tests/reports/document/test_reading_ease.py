"""The patient's sheet in German and Spanish is as easy to read as in English: grade 8 at most.

German by the first Vienna formula (Bamberger and Vanecek 1984), which gives a school grade; Spanish
by Fernandez Huerta (1959), where 60 to 70 is plain language, read by grade 7 or 8.
"""

import re

import pytest
from support.reports.reading_ease import CASES, GRADE, sentences
from support.reports.report_examples import build_example_document

EASE = 60
WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def words_of(texts: list[str]) -> list[str]:
    return [word.lower() for text in texts for word in WORD.findall(text)]


def german_syllables(word: str) -> int:
    """Groups of vowels, where German has no hiatus but before what ends in -ion or -ell."""
    split = re.sub(r"i(?=on|ell|en\b)", "i.", word)
    return max(len(re.findall(r"[aeiouy\u00e4\u00f6\u00fc]+", split)), 1)


def spanish_syllables(word: str) -> int:
    """Groups of vowels, parted where two strong ones meet or a weak one bears an accent."""
    word = re.sub(r"(?<=[qg])u(?=[ei\u00e9\u00ed])", "", word)
    strong, accented = "aeo\u00e1\u00e9\u00f3", "\u00ed\u00fa"
    word = re.sub(f"(?<=[{strong}])(?=[{strong}{accented}])", ".", word)
    word = re.sub(f"(?<=[{accented}])(?=[{strong}])", ".", word)
    return max(len(re.findall(f"[{strong}{accented}iu\u00fcy]+", word)), 1)


def german_grade(texts: list[str]) -> float:
    words = words_of(texts)
    syllables = [german_syllables(word) for word in words]
    percent_per_word = 100 / len(words)
    long = sum(count >= 3 for count in syllables) * percent_per_word
    letters = sum(len(word) > 6 for word in words) * percent_per_word
    short = sum(count == 1 for count in syllables) * percent_per_word
    return (
        0.1935 * long + 0.1672 * len(words) / len(texts) + 0.1297 * letters - 0.0327 * short - 0.875
    )


def spanish_ease(texts: list[str]) -> float:
    words = words_of(texts)
    syllables = sum(spanish_syllables(word) for word in words)
    return 206.84 - 60 * syllables / len(words) - 1.02 * len(words) / len(texts)


@pytest.mark.parametrize("name", CASES)
def test_the_german_sheet_is_for_grade_eight_at_most(name):
    assert (
        german_grade(sentences(build_example_document(name, "patient", language="de").blocks))
        <= GRADE
    )


@pytest.mark.parametrize("name", CASES)
def test_the_spanish_sheet_is_plain_language(name):
    assert (
        spanish_ease(sentences(build_example_document(name, "patient", language="es").blocks))
        >= EASE
    )


@pytest.mark.parametrize(
    ("count", "word", "syllables"),
    [
        (german_syllables, "schmerz", 1),
        (german_syllables, "alarmanlage", 5),
        (german_syllables, "information", 5),
        (german_syllables, "bedeuten", 3),
        (spanish_syllables, "dolor", 2),
        (spanish_syllables, "queda", 2),
        (spanish_syllables, "miedo", 2),
        (spanish_syllables, "peor", 2),
        (spanish_syllables, "sent\u00eda", 3),
        (spanish_syllables, "cualquiera", 3),
    ],
)
def test_syllables_are_counted_as_they_are_spoken(count, word, syllables):
    assert count(word) == syllables


def test_the_measures_tell_easy_from_hard():
    easy, hard = ["Die Katze ist rot.", "Es ist warm."], ["Mehrdimensionale Schmerzmechanismen."]
    assert german_grade(easy) < 4 < GRADE < german_grade(hard)
    easy, hard = (
        ["El gato es de ella.", "Ya es tarde."],
        ["Consideraci\u00f3n probabil\u00edstica."],
    )
    assert spanish_ease(hard) < EASE < 80 < spanish_ease(easy)
