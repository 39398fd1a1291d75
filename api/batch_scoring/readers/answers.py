"""Restores the answers of a row of columns as a single intake has them."""

from collections.abc import Mapping
from typing import Any

from schemas.batches.batch import LIST_SEPARATOR
from scoring.compiled_rulebook import LoadedRulebook


def restore_answers(
    loaded: LoadedRulebook, row: Mapping[str, Any], cells: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the typed answers of a row; options are in the order of its `cells`."""
    return {
        name: _restore_answer(loaded, name, row[name], cells[name])
        for name in loaded.questions
        if row.get(name) is not None
    }


def _restore_answer(loaded: LoadedRulebook, name: str, value: Any, cell: Any) -> Any:
    question = loaded.questions[name]
    if question.kind == "decimal":
        return round(value, 2)  # Polars divides hundredths inexactly: 3.0100000000000002
    if question.kind != "multi":
        return value
    if isinstance(value, int):
        value = [option.id for bit, option in enumerate(question.options) if value >> bit & 1]
    words = cell.split(LIST_SEPARATOR) if isinstance(cell, str) else cell
    places = {word.strip(): place for place, word in enumerate(words)}
    return sorted(value, key=lambda option: places.get(option, 0))  # stored in the order sent
