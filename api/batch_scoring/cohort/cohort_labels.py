"""Names the values of results in one language: from the rulebook, and from texts of its own."""

from typing import Self

from api.batch_scoring.cohort.cohort_texts import (
    DEFAULT_LANGUAGE,
    CohortTexts,
    list_cohort_languages,
    load_cohort_texts,
)
from schemas.batches.batch import (
    ALTERNATIVES_COLUMN,
    ASK_FIRST_COLUMN,
    BAND_COLUMN,
    CONTRADICTIONS_COLUMN,
    FLAGS_COLUMN,
    MISSING_COLUMN,
    NOT_ASKED_COLUMN,
    PICTURE_COLUMN,
    SCOPE_REASONS_COLUMN,
    TIER_COLUMN,
    WHY_NO_BAND_COLUMN,
)
from schemas.rulebooks.rulebook import Rulebook
from scoring.compiled_rulebook import LoadedRulebook
from scoring.translations import translate_rulebook

EMPTY = "(empty)"
NO_RESULT = "(none)"
"""Values in counts for an empty cell and for no result."""


class CohortLabels:
    """The titles of tables and the labels of values, in a language."""

    def __init__(self, rulebook: Rulebook, texts: CohortTexts) -> None:
        self.texts = texts
        gradings = {grading.id: grading.label for grading in rulebook.grading}
        self.titles = {**texts.titles, **gradings}
        self._labels = _list_labels(rulebook)
        for column, labels in texts.labels.items():
            self._labels[column] = self._labels.get(column, {}) | labels

    @classmethod
    def load(cls, loaded: LoadedRulebook, language: str) -> Self:
        """Return the labels in a language; in English if the rulebook is not translated."""
        translated = translate_rulebook(loaded, language)
        if translated is None or language not in list_cohort_languages():
            return cls(loaded.rulebook, load_cohort_texts(DEFAULT_LANGUAGE))
        return cls(translated, load_cohort_texts(language))

    def label(self, column: str, value: str) -> str:
        """Return the label of a value of a column."""
        if value == NO_RESULT:
            return self.texts.say("no_result")
        return self._labels.get(column, {}).get(value, value.replace("_", " "))

    def list_order(self, column: str) -> list[str]:
        """Return the values of a column in the order of the rulebook."""
        return [*self._labels.get(column, {})]


def _list_labels(book: Rulebook) -> dict[str, dict[str, str]]:
    questions = {question.id: question.label for question in book.question}
    return {
        FLAGS_COLUMN: {flag.id: flag.label for flag in book.flag},
        TIER_COLUMN: {tier.id: tier.id for tier in book.tier},
        NOT_ASKED_COLUMN: questions,
        MISSING_COLUMN: questions,
        ASK_FIRST_COLUMN: questions,
        BAND_COLUMN: {band.id: band.label for band in book.band},
        PICTURE_COLUMN: {picture.id: picture.label for picture in book.picture},
        SCOPE_REASONS_COLUMN: {rule.id: rule.label for rule in book.scope},
        ALTERNATIVES_COLUMN: {it.id: it.label for it in book.alternative},
        CONTRADICTIONS_COLUMN: {it.id: it.text for it in book.contradiction},
        WHY_NO_BAND_COLUMN: {it.id: it.text for it in book.no_band_reason},
        **{grading.id: {step.id: step.label for step in grading.grade} for grading in book.grading},
    }
