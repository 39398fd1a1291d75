"""Describes the values a file may have in the column of a question, without repeating answers."""

from decimal import Decimal

from schemas.base import to_json_number
from schemas.batches.batch import NONE_OF_THESE
from schemas.rulebooks.rulebook import Question

MAX_LISTED_OPTIONS = 8
FAULT_CODES = {
    "boolean": "not_true_or_false",
    "integer": "not_a_whole_number",
    "decimal": "not_a_number",
    "choice": "not_an_option",
    "multi": "not_options",
}
"""The code of a fault, by the kind of question."""


def describe_expected_value(question: Question, *, as_text: bool) -> str:
    """Return the expected value of a text cell (`as_text`) or of a typed column."""
    match question.kind:
        case "boolean":
            return "must be true, false, yes, no, 1 or 0" if as_text else "must be true or false"
        case "integer":
            return f"must be a whole number {describe_limits(question)}"
        case "decimal":
            return f"must be a number {describe_limits(question)} with at most two decimals"
        case "choice":
            return f"must be one of {_describe_options(question)}"
        case "multi":
            separator = f" and separated by |, or {NONE_OF_THESE}" if as_text else ""
            return f"must be any of {_describe_options(question)}, without repeats{separator}"


def _describe_options(question: Question) -> str:
    """Return the list of options, or a reference to the codebook if there are many."""
    if len(question.options) > MAX_LISTED_OPTIONS:
        return f"the options of {question.id} (listed in the codebook)"
    return ", ".join(option.id for option in question.options)


def describe_limits(question: Question) -> str:
    """Return the limits of a number, such as `from 0 to 10`."""
    least, most = question.minimum or Decimal(0), question.maximum or Decimal(0)
    return f"from {to_json_number(least)} to {to_json_number(most)}"
