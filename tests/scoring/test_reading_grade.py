"""What nociplastic 2.0.0 asks patients in English reads at grade 6 at most.

A question is measured by its sentences, and its options together, as one reads them. An option of a
few words has no grade of its own, so it is judged by its words: none is long unless named here.
"""

from support.reports.reading_ease import (
    count_english_syllables,
    list_english_words,
    measure_english_grade,
    split_sentences,
)
from support.scoring.second_rulebook import load_second

GRADE = 6
MOST_SYLLABLES = 3
QUESTIONS = [
    question for question in load_second().rulebook.question if question.who != "clinician"
]
PUBLISHED_WORDING = {"peg_activity", "peg_enjoyment", "phq4_down", "phq4_interest"}
"""Items that may not be reworded."""
LISTS_OF_NAMES = {"diagnoses", "medicines", "overlapping_conditions", "traits"}
"""Their options are names of diseases, medicines and traits, so they are not judged."""
LONG_WORDS = {
    "anti-inflammatory", "discolouration", "ibuprofen", "immunity", "inflammation", "manipulation",
    "spondyloarthritis", "temperature",
}  # fmt: skip


def measure_options(question) -> float:
    return measure_english_grade(
        [sentence for option in question.options for sentence in split_sentences(option.label)]
    )


def is_long(word: str) -> bool:
    return max(map(count_english_syllables, word.split("-"))) > MOST_SYLLABLES


def test_every_question_but_those_of_published_wording_is_easy_to_read():
    assert len(QUESTIONS) > 50
    hard = {
        question.id
        for question in QUESTIONS
        if measure_english_grade(split_sentences(question.text)) > GRADE
    }
    assert hard == PUBLISHED_WORDING


def test_the_options_of_every_question_but_lists_of_names_are_easy_to_read():
    with_options = [question for question in QUESTIONS if question.options]
    assert len(with_options) > 12
    hard = {question.id for question in with_options if measure_options(question) > GRADE}
    assert hard == LISTS_OF_NAMES


def test_no_option_outside_lists_of_names_has_another_long_word():
    long_words = {
        word.lower()
        for question in QUESTIONS
        if question.id not in LISTS_OF_NAMES
        for option in question.options
        for word in list_english_words(option.label)
        if is_long(word)
    }
    assert long_words == LONG_WORDS


def test_the_measure_tells_easy_from_hard():
    assert measure_english_grade(["Does the pain move?", "Does it spread?"]) < GRADE
    assert measure_english_grade(["Is mechanical provocation consistently reproducible?"]) > 12
    assert [is_long(word) for word in ("temperature", "stiffness", "one-sided")] == [
        True,
        False,
        False,
    ]
