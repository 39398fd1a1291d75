"""Reads answers that were stored as JSON, as the engine takes them."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from scoring.answer_model import build_answer_model
from scoring.compiled_rulebook import LoadedRulebook


def validate_answers(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored answers with exact numbers. Raises ValidationError for answers that do not fit.

    Unanswered questions are left out.
    """
    return find_answer_model(loaded).model_validate(answers).model_dump(exclude_none=True)


@cache
def find_answer_model(loaded: LoadedRulebook) -> type[BaseModel]:
    """Return the model of the answers to this rulebook; building one is expensive."""
    return build_answer_model(loaded.rulebook)
