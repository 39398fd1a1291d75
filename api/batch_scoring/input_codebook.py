"""Describes the columns of a batch file: an empty template, and a codebook of values."""

from collections.abc import Iterable, Sequence

from api.spreadsheets import encode_rows
from schemas.batches.batch import ANSWERED_ON, NONE_OF_THESE, PASSTHROUGH_COLUMNS
from schemas.rulebooks.rulebook import Question, Rulebook
from scoring.columns.reading.expected_values import describe_limits

_HEADER = ("column", "kind", "who", "label", "text", "values", "value", "value_label")


def render_template_csv(book: Rulebook) -> str:
    """Return a CSV file with a header for every column and no rows."""
    header = [*PASSTHROUGH_COLUMNS, ANSWERED_ON, *(question.id for question in book.question)]
    return encode_rows([header], "\n").decode()


def render_codebook_csv(book: Rulebook) -> str:
    """Return a CSV file with a line for each column and each of its options."""
    identifiers = [
        (name, "text", "", "", "Returned unchanged; optional.", "", "", "")
        for name in PASSTHROUGH_COLUMNS
    ]
    day = (ANSWERED_ON, "date", "", "", "The day of the answers; optional.", "YYYY-MM-DD", "", "")
    questions = (row for question in book.question for row in _rows(question))
    return encode_rows([_HEADER, *identifiers, day, *questions], "\n").decode()


def _rows(question: Question) -> Iterable[Sequence[str]]:
    column = (question.id, question.kind, question.who, question.label, question.text)
    match question.kind:
        case "boolean":
            yield (*column, "true or false; also yes, no, 1, 0; empty: not answered", "", "")
        case "integer":
            yield (*column, f"whole number {describe_limits(question)}", "", "")
        case "decimal":
            yield (*column, f"number {describe_limits(question)}, at most two decimals", "", "")
        case "choice":
            for option in question.options:
                yield (*column, "one of", option.id, option.label)
        case "multi":
            for option in question.options:
                yield (*column, "any of, joined by |", option.id, option.label)
            yield (*column, "any of, joined by |", NONE_OF_THESE, "asked, none of these applies")
