"""Reads files by a mapping: the columns of another tool become answers, row by row."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from api.batch_scoring.mapping.cell_parser import (
    UNANSWERED,
    AnswerParser,
    CellError,
    build_cell_rules,
)
from api.batch_scoring.mapping.day_parser import parse_day
from api.batch_scoring.mapping.mapping_file import ImportMapping
from api.batch_scoring.readers.base import FilePiece, ParsedRows, build_faults_frame
from api.batch_scoring.readers.ndjson import COLUMN_TYPES
from schemas.batches.batch import (
    ANSWERED_ON,
    LIST_SEPARATOR,
    PASSTHROUGH_COLUMNS,
    PATIENT_REFERENCE,
    ROW_ID,
)
from scoring.columns.reading.expected_values import FAULT_CODES
from scoring.compiled_rulebook import LoadedRulebook


class RowMapper:
    """Turns the cells of a row into answers."""

    def __init__(self, loaded: LoadedRulebook, mapping: ImportMapping) -> None:
        self._mapping = mapping
        self._questions = loaded.questions
        rules = build_cell_rules(mapping, loaded)
        self._parsers = [
            (question, AnswerParser(question, loaded.questions[question.id], rules))
            for question in mapping.question
        ]
        self.schema = pl.Schema(
            {name: pl.String() for name in (*PASSTHROUGH_COLUMNS, ANSWERED_ON, *mapping.keep)}
            | {name: COLUMN_TYPES[question.kind] for name, question in loaded.questions.items()}
        )

    def map_rows(self, source_rows: ParsedRows) -> ParsedRows:
        """Return the rows as answers, typed. A row that the reader refused has none."""
        frame = source_rows.frame.with_columns(pl.all().cast(pl.String).fill_null(""))
        faulty_rows = set(source_rows.faults["row"])
        rows, faults = [], []
        for place, row in enumerate(frame.iter_rows(named=True)):
            answers, row_faults = ({}, []) if place in faulty_rows else self.map_row(row)
            rows.append(answers)
            faults += [(place, *fault) for fault in row_faults]
        columns = {name: [row.get(name) for row in rows] for name in self.schema}
        return source_rows._replace(
            frame=pl.DataFrame(columns, schema=self.schema, strict=False),
            faults=pl.concat([source_rows.faults, build_faults_frame(faults)]),
        )

    def map_row(
        self, row: Mapping[str, str]
    ) -> tuple[dict[str, Any], list[tuple[str | None, str, str]]]:
        """Return the answers and identifiers of a row, and its faults by column."""
        mapping = self._mapping
        answers: dict[str, Any] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in mapping.constants.items()
        }
        faults: list[tuple[str | None, str, str]] = []
        for question, parser in self._parsers:
            try:
                answer = parser.parse(row)
            except CellError as error:
                code = FAULT_CODES[self._questions[question.id].kind]
                expected = str(error).replace("expected ", "must be ", 1)
                faults.append((question.column_names[0], code, expected))
                continue
            if answer is not UNANSWERED:
                answers[question.id] = answer
        day, date_column = None, mapping.answered_on
        if date_column is not None:
            day, expected_day = parse_day(row[date_column.column], date_column)
            if expected_day is not None:
                faults.append((date_column.column, "invalid_date", expected_day))
        names = [row[column].strip() for column in mapping.row_columns]
        identifiers = {
            ROW_ID: LIST_SEPARATOR.join(names) or None,
            PATIENT_REFERENCE: row[mapping.patient].strip() or None if mapping.patient else None,
            ANSWERED_ON: day,
        }
        kept_cells = {name: row[name] or None for name in mapping.keep}
        return ({} if faults else answers) | identifiers | kept_cells, faults


class MappedPiece(NamedTuple):
    """A piece of a file whose rows are mapped."""

    piece: FilePiece
    mapper: RowMapper

    @property
    def input_bytes(self) -> int:
        """The bytes of input that the piece covers."""
        return self.piece.input_bytes

    @property
    def content(self) -> bytes:
        """The input that the piece covers."""
        return self.piece.content

    def parse_rows(self) -> ParsedRows:
        """Parse the answers, typed. Raises UnusableInputError."""
        return self.mapper.map_rows(self.piece.parse_rows())
