"""Suggests a mapping for a file: compares its columns with questions in every shipped language.

A REDCap data dictionary adds labels and choices. Doubtful matches are written as comments.
"""

import json
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from api.batch_scoring.mapping.data_dictionary import DictionaryField
from schemas.rulebooks.rulebook import Question
from scoring.columns.reading.cell_words import LANGUAGES, build_cell_words
from scoring.compiled_rulebook import LoadedRulebook
from scoring.translations import translate_rulebook

SURE, POSSIBLE = 0.85, 0.6
_CHECKBOX = re.compile(
    r"^(?P<field>.+?)(?:___(?P<code>\w+)|\[(?P<key>[^\]]+)\]| ?\(choice=(?P<label>.+)\))$"
)
_IDENTIFIERS = {
    "patient": ("patient", "patientreference", "patientid", "mrn", "recordid", "participantid",
                "yournumber", "patientennummer", "patientennr", "ihrenummer", "sunúmero",
                "númerodepaciente", "id"),
    "row": ("rowid", "responseid", "submissionid", "recordid", "redcapeventname",
            "redcaprepeatinstrument", "redcaprepeatinstance", "eventname", "repeatinstrument",
            "repeatinstance"),
    "answered_on": ("timestamp", "submitdate", "recordeddate", "submissiondate", "visitdate",
                    "date", "zeitstempel", "besuchsdatum", "datum", "marcatemporal",
                    "fechadelavisita", "fecha"),
}  # fmt: skip


class Match(NamedTuple):
    """A question that columns of a file probably answer, and how sure that is, from 0 to 1."""

    question: Question
    confidence: float
    columns: dict[str, str]
    values: dict[str, str]
    is_checkboxes: bool
    none_column: str | None = None
    unknown_boxes: tuple[str, ...] = ()
    unknown_codes: tuple[str, ...] = ()


class MappingSuggester:
    """Compares columns with the questions of one rulebook."""

    def __init__(
        self, loaded: LoadedRulebook, dictionary: dict[str, DictionaryField] | None = None
    ) -> None:
        self._loaded = loaded
        self._dictionary = dictionary or {}
        self._words = build_cell_words(loaded)
        books = [loaded.rulebook, *(translate_rulebook(loaded, it) for it in LANGUAGES)]
        self._names: dict[str, set[str]] = {}
        for question in (it for book in books if book is not None for it in book.question):
            names = self._names.setdefault(question.id, set())
            names |= {_simplify(name) for name in (question.id, question.label, question.text)}

    def suggest(self, header: Sequence[str], source: str, header_line: int = 1) -> str:
        """Return a mapping file: sure matches, doubtful ones as comments, and what is left."""
        groups = _group_columns(header)
        identifiers = _find_identifiers(header)
        matches = [
            match
            for field, columns in groups.items()
            if not set(columns) & {*identifiers.values()}
            and (match := self._match(field, columns)) is not None
        ]
        best: dict[str, Match] = {}
        for match in sorted(matches, key=lambda it: it.confidence):
            best[match.question.id] = match
        lines = [*self._write(header, source, identifiers, [*best.values()])]
        if header_line > 1:
            lines.insert(3, f"header_line = {header_line}")
        return "\n".join(lines) + "\n"

    def _match(self, field: str, columns: list[str]) -> Match | None:
        entry = self._dictionary.get(field)
        all_names = (field, entry.name, entry.label) if entry else (field,)
        names = [_simplify(name) for name in all_names if name]
        scored = [
            (max(_compare(name, other) for name in names for other in known_names), question)
            for question, known_names in self._names.items()
        ]
        confidence, question_id = max(scored)
        if confidence < POSSIBLE:
            return None
        question = self._loaded.questions[question_id]
        codes = {column: _find_code(column) for column in columns}
        if question.kind == "multi" and all(codes.values()):
            options = {
                column: option
                for column, code in codes.items()
                if (option := self._find_option(question, entry, code or "")) is not None
            }
            none_column = next((it for it, option in options.items() if option == "none"), None)
            unknown = tuple(column for column in columns if column not in options)
            options = {it: option for it, option in options.items() if option != "none"}
            return Match(
                question,
                min(confidence, POSSIBLE) if unknown else confidence,
                options,
                {},
                is_checkboxes=True,
                none_column=none_column,
                unknown_boxes=unknown,
            )
        values = {
            code: self._find_option(question, entry, code)
            for code in (entry.choices if entry else {})
        }
        words = {
            code: option for code, option in values.items() if option is not None and option != code
        }
        return Match(
            question,
            confidence,
            {columns[0]: ""},
            words,
            is_checkboxes=False,
            unknown_codes=tuple(code for code, option in values.items() if option is None),
        )

    def _find_option(
        self, question: Question, entry: DictionaryField | None, code: str
    ) -> str | None:
        words = self._words.get(question.id)
        if words is None:
            return None
        label = entry.choices.get(code, code) if entry else code
        return words.parse(label) or words.parse(code)

    def _write(
        self,
        header: Sequence[str],
        source: str,
        identifiers: dict[str, str],
        matches: list[Match],
    ) -> Iterator[str]:
        yield "# Suggested from the columns. Look at each line, then run `nociscreen map check`."
        yield f"source = {json.dumps(source)}"
        yield f'rulebook = "{self._loaded.name}"'
        patient = identifiers.get("patient")
        yield f"patient = {_quote(patient)}" if patient else '# patient = "the patient\'s number"'
        if "row" in identifiers:
            rows = [it for it in header if _simplify(it) in _IDENTIFIERS["row"]]
            yield f"row = [{', '.join(map(_quote, rows))}]"
        if "answered_on" in identifiers:
            yield f"answered_on = {{ column = {_quote(identifiers['answered_on'])} }}"
        used_columns = {*identifiers.values()}
        sure = [match for match in matches if match.confidence >= SURE]
        for match in sure:
            used_columns |= {*match.columns, *([match.none_column] if match.none_column else [])}
        rest = [
            it
            for it in header
            if it not in used_columns and _simplify(it) not in _IDENTIFIERS["row"]
        ]
        yield "# No question was found with certainty for these columns:"
        yield f"ignore = [{', '.join(map(_quote, rest))}]"
        unasked = [
            name
            for name in self._loaded.rulebook.rulebook.safety_questions
            if name not in {match.question.id for match in sure}
        ]
        yield f"# Red flag questions that no column answers: {', '.join(unasked) or 'none'}"
        for match in sorted(matches, key=lambda it: -it.confidence):
            yield ""
            lines = [f"# {match.question.label} (confidence {match.confidence:.2f})"]
            lines += _write_question(match)
            is_sure = match.confidence >= SURE
            yield from lines if is_sure else (f"# {line}".replace("# # ", "# ") for line in lines)


def _write_question(match: Match) -> Iterator[str]:
    yield "[[question]]"
    yield f'id = "{match.question.id}"'
    if match.is_checkboxes:
        pairs = ", ".join(f"{_quote(it)} = {_quote(to)}" for it, to in match.columns.items())
        yield f"columns = {{ {pairs} }}"
        if match.none_column:
            yield f"none_column = {_quote(match.none_column)}"
        if match.unknown_boxes:
            yield f"# no option was found for: {', '.join(match.unknown_boxes)}"
        return
    yield f"column = {_quote(next(iter(match.columns)))}"
    if match.unknown_codes and match.question.kind in {"boolean", "choice", "multi"}:
        codes = ", ".join(map(_quote, match.unknown_codes))
        yield f"# no option was found for {codes}:"
        yield "# add them to `values`, or to `unanswered` if they mean no answer"
    if match.values:
        is_boolean = match.question.kind == "boolean"
        pairs = ", ".join(
            f"{_quote(it)} = {to if is_boolean else _quote(to)}" for it, to in match.values.items()
        )
        yield f"values = {{ {pairs} }}"


def _group_columns(header: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns by field: the boxes of one question are one field."""
    groups: dict[str, list[str]] = {}
    for column in header:
        match = _CHECKBOX.match(column)
        groups.setdefault(match["field"] if match else column, []).append(column)
    return groups


def _find_code(column: str) -> str | None:
    match = _CHECKBOX.match(column)
    return (match["code"] or match["key"] or match["label"]) if match else None


def _find_identifiers(header: Sequence[str]) -> dict[str, str]:
    by_name = {_simplify(column): column for column in reversed(header)}
    return {
        use: by_name[name]
        for use, names in _IDENTIFIERS.items()
        for name in reversed(names)
        if name in by_name
    }


def _compare(name: str, known_name: str) -> float:
    if name == known_name:
        return 1.0
    if not name or not known_name or min(len(name), len(known_name)) < 4:
        return 0.0
    matcher = SequenceMatcher(None, name, known_name, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= POSSIBLE else 0.0


def _quote(text: str | None) -> str:
    return json.dumps(text or "", ensure_ascii=False)


def _simplify(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
