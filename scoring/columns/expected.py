"""What a file must hold in the column of a question, in words that tell no answer."""

from decimal import Decimal

from schemas.base import plain_number
from schemas.batch import NONE_OF_THESE
from schemas.rulebook import Question

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
    options = ", ".join(option.id for option in question.options)
    match question.kind:
        case "boolean":
            return "must be true, false, yes, no, 1 or 0" if as_text else "must be true or false"
        case "integer":
            return f"must be a whole number {_limits(question)}"
        case "decimal":
            return f"must be a number {_limits(question)} with at most two decimals"
        case "choice":
            return f"must be one of {options}"
        case "multi":
            joined = f" with vertical bars between, or {NONE_OF_THESE}" if as_text else ""
            return f"must be a list of these, each once{joined}: {options}"


def _limits(question: Question) -> str:
    least, most = question.minimum or Decimal(0), question.maximum or Decimal(0)
    return f"from {plain_number(least)} to {plain_number(most)}"
