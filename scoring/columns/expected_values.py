"""What a file must hold in the column of a question, in words that tell no answer."""

from decimal import Decimal

from schemas.base import plain_number
from schemas.batch import NONE_OF_THESE
from schemas.rulebook import Question

MANY = 8
CODES = {
    "boolean": "not_true_or_false",
    "integer": "not_a_whole_number",
    "decimal": "not_a_number",
    "choice": "not_an_option",
    "multi": "not_options",
}
"""The code of a fault, by the kind of its question."""


def expected(question: Question, *, as_text: bool) -> str:
    """What must stand there: in a cell of text, or as a typed value."""
    match question.kind:
        case "boolean":
            return "must be true, false, yes, no, 1 or 0" if as_text else "must be true or false"
        case "integer":
            return f"must be a whole number {limits(question)}"
        case "decimal":
            return f"must be a number {limits(question)} with at most two decimals"
        case "choice":
            return f"must be one {_options(question).removeprefix('some ')}"
        case "multi":
            joined = f" with vertical bars between, or {NONE_OF_THESE}" if as_text else ""
            return f"must be {_options(question)}, each once{joined}"


def _options(question: Question) -> str:
    """The options, or where they stand where they are many."""
    if len(question.options) > MANY:
        return f"options of {question.id} (the codebook has them)"
    return f"some of {', '.join(option.id for option in question.options)}"


def limits(question: Question) -> str:
    """From the least to the most that may be answered."""
    least, most = question.minimum or Decimal(0), question.maximum or Decimal(0)
    return f"from {plain_number(least)} to {plain_number(most)}"
