"""Seeded random intakes of the released rulebooks, whose stored assessments never change.

`replayed_digests.toml` holds the SHA-256 of each block of assessments, written by the version that
stored them. The answers are drawn here alone, so that no other generator can move them.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import polars as pl
from pydantic import BaseModel

from schemas.batches.batch import (
    ALL_ASKED_COLUMN,
    NOT_ALL_ASKED,
    NOT_ASKED_COLUMN,
    SCOPE_REASONS_COLUMN,
    SCOPE_UNANSWERED_COLUMN,
    TIER_COLUMN,
)
from schemas.rulebooks.rulebook import Question
from scoring.answer_model import find_answer_model
from scoring.catalogue import load_catalogue
from scoring.columns import compile_column_rules
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.translations import translate_assessment

BLOCK_SIZE = 100
BLOCKS = {"nociplastic@1.0.0": 80, "phq4@1.0.0": 20, "nociplastic@2.0.0": 10}
"""How many blocks of intakes are replayed of each rulebook: 11 000 intakes in all."""

TRANSLATED_BLOCKS = 3
"""How many of the first blocks of each rulebook are replayed in other languages too."""

ADDED_COLUMNS = (
    ALL_ASKED_COLUMN,
    NOT_ASKED_COLUMN,
    SCOPE_REASONS_COLUMN,
    SCOPE_UNANSWERED_COLUMN,
)
DIGESTS = Path(__file__).with_name("replayed_digests.toml")


class ReplayedIntake(NamedTuple):
    """Validated answers, and whether a clinician is named for them."""

    answers: dict[str, Any]
    attested: bool


def read_digests() -> dict[str, list[str]]:
    """Return the recorded digests by rulebook and kind, such as `nociplastic@1.0.0 assessment`."""
    digests: dict[str, list[str]] = tomllib.loads(DIGESTS.read_text(encoding="utf-8"))
    return digests


def digest_assessments(name: str, block: int, language: str = "en") -> str:
    """Return the digest of a block's assessments, as the API stores and answers them."""
    loaded = load_catalogue().find_version(name)
    digest = hashlib.sha256()
    for intake in draw_block(loaded, block):
        assessment = assess(loaded, intake.answers, attested=intake.attested)
        if language != "en":
            assessment = translate_assessment(loaded, language, intake.answers, assessment)
        digest.update(assessment.model_dump_json(by_alias=True).encode() + b"\n")
    return digest.hexdigest()


def digest_batch(name: str, block: int) -> str:
    """Return the digest of the rows that a batch gives for a block, with their sentences.

    Left out is what releases from 1.2 add: four columns, and the word for a tier that may be more
    urgent because not every red flag was asked about.
    """
    loaded = load_catalogue().find_version(name)
    intakes = [intake.answers for intake in draw_block(loaded, block)]
    columns = {
        question.id: [_plain(intake.get(question.id)) for intake in intakes]
        for question in loaded.rulebook.question
    }
    types = {question.id: _COLUMN_TYPES[question.kind] for question in loaded.rulebook.question}
    frame = pl.LazyFrame(columns, schema=types)
    rows = compile_column_rules(loaded).assess_intakes(frame, explain=True).collect()
    tier = pl.col(TIER_COLUMN).replace(NOT_ALL_ASKED, "none")
    old_rows = rows.drop(ADDED_COLUMNS).with_columns(tier).to_dicts()
    return hashlib.sha256(json.dumps(old_rows).encode()).hexdigest()


def digest_rulebook(name: str) -> str:
    """Return the digest of the rulebook as the API answers it."""
    rulebook = load_catalogue().find_version(name).rulebook
    return hashlib.sha256(rulebook.model_dump_json(by_alias=True).encode()).hexdigest()


def draw_block(loaded: LoadedRulebook, block: int) -> Iterator[ReplayedIntake]:
    """Yield the intakes of one block; some answer little, some nearly everything."""
    random = Random(f"{loaded.name} {block}")
    model = find_answer_model(loaded)
    for _ in range(BLOCK_SIZE):
        share, calm = random.choice([0.3, 0.7, 0.95, 1.0]), random.random() < 0.75
        required = loaded.rulebook.rulebook.must_answer
        answers = {
            question.id: _draw_answer(question, random, calm=calm)
            for question in loaded.rulebook.question
            if random.random() < (0.97 if question.id in required else share)
        }
        yield ReplayedIntake(_validate(model, answers), attested=random.random() < 0.5)


_COLUMN_TYPES = {
    "boolean": pl.Boolean,
    "integer": pl.Int64,
    "decimal": pl.Float64,
    "choice": pl.String,
    "multi": pl.List(pl.String),
}
_SCOPE = ("pregnant", "surgery_within_3_months", "cannot_self_report")


def _validate(model: type[BaseModel], answers: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(answers, default=float)
    return model.model_validate_json(text).model_dump(exclude_none=True)


def _draw_answer(question: Question, random: Random, *, calm: bool) -> Any:
    options = [option.id for option in question.options]
    match question.kind:
        case "boolean":
            return random.random() < (0.01 if calm and question.id in _SCOPE else 0.5)
        case "choice":
            return random.choice(options)
        case "multi" if calm and question.id.startswith("rf_"):
            return [random.choice(options)] if random.random() < 0.02 else []
        case "multi":
            count = random.choice([0, 0, 1, 1, 2, random.randint(0, len(options))])
            option_ids = random.sample(options, min(count, len(options)))
            return [name for name in option_ids if not (calm and name == "active_cancer")]
        case "decimal":
            return random.choice([0, 2.99, 3, 3.01, random.randint(300, 60_000) / 100])
        case "integer":
            least = 18 if calm and question.id == "age_years" else int(question.minimum or 0)
            return random.randint(least, int(question.maximum or 0))
    raise TypeError(f"no answers are drawn for the kind {question.kind}")


def _plain(answer: Any) -> Any:
    if isinstance(answer, Decimal):
        return float(answer)
    return list(answer) if isinstance(answer, tuple) else answer
