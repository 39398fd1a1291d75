"""Describes the columns of a file of results: what each means, its unit and its values."""

from collections.abc import Iterator

from api.spreadsheets import encode_rows
from schemas.batches.batch import (
    DOMAIN_PREFIX,
    NOT_ALL_ASKED,
    SOURCE_FILE_COLUMN,
    SOURCE_LINE_COLUMN,
)
from scoring.columns import compile_column_rules
from scoring.columns.rules import STATUSES
from scoring.common_rules.safety import NO_TIER
from scoring.compiled_rulebook import LoadedRulebook

CodebookRow = tuple[str, str, str, str, str]
"""The column, its kind, what it means, one of its values, and what this means."""

CODEBOOK_HEADER = ("column", "kind", "meaning", "value", "value_label")
_MEANINGS = {
    "row_id": "returned unchanged",
    "patient_reference": "returned unchanged",
    "rulebook": "the version that scored the row",
    "rulebook_sha256": "the SHA-256 of this version",
    "status": "what could be said; empty if the row has problems",
    "tier": "the most urgent red flag",
    "flags": "red flags, joined by |",
    "least": "the least that the total can become when unanswered questions are answered",
    "most": "the most that the total can become",
    "band": "the band of the total",
    "band_least": "the band at the least",
    "band_most": "the band at the most",
    "picture": "the pain mechanism with the most points",
    "alternatives": "other explanations to consider, the strongest first, joined by |",
    "contradictions": "answers that contradict each other, joined by |",
    "missing": "unanswered questions, the most telling first, joined by |",
    "ask_first": "at most three of the missing questions, those to ask first",
    "all_asked": "whether every red flag question was answered",
    "not_asked": "red flag questions that were not answered, joined by |",
    "scope_reasons": "why the instrument does not apply to this person, joined by |",
    "scope_unanswered": "unanswered questions about this",
    "why_no_band": "why no band is given, joined by |",
    "problems": "what is wrong with the row, joined by |; such a row is not scored",
}


def render_results_codebook_csv(loaded: LoadedRulebook) -> str:
    """Return a CSV file with a line for each column of results and each of its values."""
    return encode_rows([CODEBOOK_HEADER, *list_codebook_rows(loaded)], "\n").decode()


def list_codebook_rows(loaded: LoadedRulebook) -> Iterator[CodebookRow]:
    """Yield a row for each column of results and each of its values."""
    points, values = _describe_points(loaded), _list_values(loaded)
    gradings = {grading.id: grading.label for grading in loaded.rulebook.grading}
    meanings = _MEANINGS | points | gradings
    for name in compile_column_rules(loaded).columns:
        kind = "points" if name in points else "text"
        options = values.get(name, {"": ""})
        for value, label in options.items():
            yield name, kind, meanings.get(name, ""), value, label
    yield SOURCE_FILE_COLUMN, "text", "the file of the row, if there are several", "", ""
    yield SOURCE_LINE_COLUMN, "number", "the line of the row in this file", "", ""


def _describe_points(loaded: LoadedRulebook) -> dict[str, str]:
    book = loaded.rulebook
    return {
        **{total.id: f"total: {total.id}" for total in book.total},
        **{ledger.id: f"points for this mechanism: {ledger.id}" for ledger in book.ledger},
        **{f"{DOMAIN_PREFIX}{domain.id}": f"domain: {domain.label}" for domain in book.domain},
        **{criterion.id: f"criterion: {criterion.label}" for criterion in book.criterion},
        "least": _MEANINGS["least"],
        "most": _MEANINGS["most"],
    }


def _list_values(loaded: LoadedRulebook) -> dict[str, dict[str, str]]:
    book = loaded.rulebook
    bands = {band.id: band.label for band in book.band}
    questions = {question.id: question.label for question in book.question}
    tiers = {tier.id: "a red flag of this tier" for tier in book.tier}
    safety_questions = book.rulebook.safety_questions
    return {
        "status": {status: status.replace("_", " ") for status in STATUSES},
        "tier": {
            **tiers,
            NO_TIER: "no red flag; every question about them was answered",
            NOT_ALL_ASKED: "no red flag was reported, but not every question was answered",
        },
        "flags": {flag.id: flag.label for flag in book.flag},
        "band": bands,
        "band_least": bands,
        "band_most": bands,
        "not_asked": {name: questions[name] for name in safety_questions},
        "scope_reasons": {rule.id: rule.label for rule in book.scope},
        "alternatives": {it.id: it.label for it in book.alternative},
        "contradictions": {it.id: it.text for it in book.contradiction},
        "why_no_band": {it.id: it.text for it in book.no_band_reason},
        **{grading.id: {step.id: step.label for step in grading.grade} for grading in book.grading},
    }
