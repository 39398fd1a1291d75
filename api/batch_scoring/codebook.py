"""About the columns: a rulebook in, an empty file to fill in or the meaning of each column out."""

import csv
import io
from collections.abc import Iterable, Sequence

from schemas.batch import NONE_OF_THESE, PASSED_THROUGH
from schemas.rulebook import Question, Rulebook
from scoring.columns.expected_values import limits

_HEADER = ("column", "kind", "who", "label", "text", "values", "value", "value_label")


def template_of(book: Rulebook) -> str:
    """A CSV file with every column and no row."""
    return _csv([[*PASSED_THROUGH, *(question.id for question in book.question)]])


def codebook_of(book: Rulebook) -> str:
    """A CSV file with a line for each column and each of its options."""
    passed = [
        (name, "text", "", "", "Comes out as it went in; optional.", "", "", "")
        for name in PASSED_THROUGH
    ]
    return _csv([_HEADER, *passed, *(row for each in book.question for row in _rows(each))])


def _rows(question: Question) -> Iterable[Sequence[str]]:
    about = (question.id, question.kind, question.who, question.label, question.text)
    match question.kind:
        case "boolean":
            yield (*about, "true or false; also yes, no, 1, 0; empty: not answered", "", "")
        case "integer":
            yield (*about, f"whole number {limits(question)}", "", "")
        case "decimal":
            yield (*about, f"number {limits(question)}, at most two decimals", "", "")
        case "choice":
            yield from ((*about, "one of", each.id, each.label) for each in question.options)
        case "multi":
            yield from (
                (*about, "any of, joined by |", each.id, each.label) for each in question.options
            )
            yield (*about, "any of, joined by |", NONE_OF_THESE, "asked, none of these")


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
