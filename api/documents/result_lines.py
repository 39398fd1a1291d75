"""Puts an assessment by the second generation of rules into the lines that every interface sends.

An assessment by the first generation has none of them.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from pydantic import MISSING

from reports.phrases import load_phrases
from reports.view.result_words import ResultWords, describe_result
from schemas.assessments.assessment import Assessment, NoBand, RaisedFlag
from schemas.assessments.assessment_context import (
    AlternativeExplanation,
    Contradiction,
    NextStepOption,
)
from schemas.rulebooks.rulebook import Rulebook

_Item = TypeVar("_Item")


class Explanations(NamedTuple):
    """What an assessment says besides its points; empty by the first generation of rules.

    `ask_first` and `not_asked` are questions.
    """

    why_no_band: tuple[NoBand, ...]
    contradictions: tuple[Contradiction, ...]
    ask_first: tuple[str, ...]
    not_asked: tuple[str, ...]
    alternatives: tuple[AlternativeExplanation, ...]


def list_explanations(assessment: Assessment) -> Explanations:
    """Return what an assessment says besides its points."""
    return Explanations(
        _or_empty(assessment.why_no_band),
        _or_empty(assessment.contradictions),
        _or_empty(assessment.ask_first),
        _or_empty(assessment.not_asked),
        _or_empty(assessment.alternatives),
    )


def _or_empty(items: tuple[_Item, ...] | MISSING | None) -> tuple[_Item, ...]:
    return () if items is MISSING or items is None else items


def find_result_words(rulebook: Rulebook, assessment: Assessment) -> ResultWords | None:
    """Return the result in the words of the report, or None by the first generation of rules."""
    if assessment.confidential is MISSING:
        return None
    return describe_result(rulebook, assessment, load_phrases())


def find_headline(rulebook: Rulebook, assessment: Assessment) -> str | None:
    """Return the band, or what it could become while that is open; None by the first rules."""
    words = find_result_words(rulebook, assessment)
    if words is None or assessment.status != "scored":
        return words and words.title
    is_open = any(
        total.band_range.least != total.band_range.most
        for total in (assessment.totals or {}).values()
        if total.band_range is not MISSING and total.band_range is not None
    )
    return words.possible_bands if is_open else words.title


def describe_tier(flag: RaisedFlag) -> str:
    """Return the tier of a red flag, and that it was assessed if so."""
    return f"{flag.tier}, assessed" if flag.assessed is True else flag.tier


def list_result_lines(rulebook: Rulebook, assessment: Assessment) -> list[str]:
    """Return contradictions, possible bands, what to ask first, and other explanations."""
    words = find_result_words(rulebook, assessment)
    if words is None:
        return []
    explanations = list_explanations(assessment)
    questions = list_labels(rulebook, explanations.ask_first)
    return [
        *(f"Contradiction: {contradiction.text}" for contradiction in explanations.contradictions),
        *([words.possible_bands] if words.possible_bands else []),
        *([f"Ask first: {questions}."] if questions else []),
        *(
            f"Other explanation: {explanation.label}. {describe_alternative(explanation)}"
            for explanation in explanations.alternatives
        ),
    ]


def list_labels(rulebook: Rulebook, questions: Iterable[str]) -> str:
    """Return the labels of questions as one text; empty if there are none."""
    by_id = rulebook.questions_by_id
    return rulebook.wording.listed.join(by_id[question].label for question in questions)


def describe_alternative(explanation: AlternativeExplanation) -> str:
    """Return the signs of another explanation, and what would settle it."""
    signs = "; ".join(explanation.signs)
    return f"Signs: {signs}. To settle it: {explanation.settle}"


def describe_next_step(step: NextStepOption) -> str:
    """Return an option with its certainty and its cautions."""
    cautions = () if step.cautions is MISSING else step.cautions
    return " ".join(
        [f"{step.label} ({step.certainty})", *(f"Caution: {text}" for text in cautions)]
    )
