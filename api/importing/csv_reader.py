"""Reads a CSV file by its mapping: each row as an intake, and the use made of each column.

A problem is reported by line, column and expected value, and does not stop the other rows. Messages
never repeat a cell, nor a column name that the mapping does not contain: without a header, the
first line is a patient's row.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from api.batch_scoring.mapping.cell_parser import (
    UNANSWERED,
    AnswerParser,
    CellError,
    build_cell_rules,
)
from api.batch_scoring.mapping.mapping_file import ImportMapping, MappingError
from api.intakes.models import StorableIntake, build_intake_model
from api.problems import build_body_problem
from schemas.patients.patient import EARLIEST_DAY, find_day_fault
from schemas.rulebooks.rulebook_name import RulebookName
from scoring.compiled_rulebook import LoadedRulebook

MAX_COLUMNS = 5_000
MAX_CELL_LENGTH = 100_000
_TIME_ZONE = re.compile(r"\s*(?:GMT|UTC|Z)(?:[+-]\d{1,2}(?::?\d{2})?)?$")


class ImportProblem(NamedTuple):
    """One problem of a row."""

    line: int
    column: str
    expected_value: str


class ImportRow(NamedTuple):
    """A row: its line, its name in the file, and its intake, None if there are problems."""

    line: int
    name: str
    intake: Any
    problems: tuple[ImportProblem, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the row is valid and answers no question."""
        return self.intake is not None and not self.intake.answers.model_dump(exclude_none=True)


class ColumnUse(NamedTuple):
    """The use made of a column, and how many of its cells are filled and have problems."""

    column: str
    used_as: str
    filled_cells: int
    faulty: int


class ImportReader:
    """Reads one file row by row; `list_column_uses` covers the rows read so far."""

    def __init__(self, file: Path, mapping: ImportMapping, loaded: LoadedRulebook) -> None:
        if mapping.patient is None:
            raise MappingError("patient: the column of the patient's number is required")
        self._file, self._mapping, self._patient = file, mapping, mapping.patient
        self._questions = {question.id: question for question in loaded.rulebook.question}
        self._rulebook = loaded.name
        self._intakes = TypeAdapter[Any](build_intake_model(loaded, [loaded.name], StorableIntake))
        rules = build_cell_rules(mapping, loaded)
        self._parsers = {
            question.id: AnswerParser(question, self._questions[question.id], rules)
            for question in mapping.question
        }
        self._filled: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self.columns: list[str] = []

    def read_rows(self) -> Iterator[ImportRow]:
        """Yield every row. Raises MappingError if the file does not fit the mapping."""
        csv.field_size_limit(MAX_CELL_LENGTH)
        encoding = "utf-8-sig" if self._mapping.encoding == "utf-8" else self._mapping.encoding
        try:
            with self._file.open(encoding=encoding, newline="") as stream:
                for _ in range(self._mapping.header_line - 1):
                    next(stream, None)
                lines_above = self._mapping.header_line - 1
                reader = csv.reader(stream, delimiter=self._mapping.delimiter, strict=True)
                self._read_header(next(reader, []))
                for _ in range(self._mapping.skip_rows):
                    next(reader, None)
                line = reader.line_num + lines_above + 1
                for cells in reader:
                    if any(cell.strip() for cell in cells):
                        yield self._read_row(line, cells)
                    line = reader.line_num + lines_above + 1
        except UnicodeError:
            raise MappingError(f"the file is not in {self._mapping.encoding}") from None
        except csv.Error as error:
            raise MappingError(f"the file is not CSV: {error}") from None
        except OSError as error:
            raise MappingError(f"the file cannot be read: {error.strerror}") from None

    def list_column_uses(self) -> list[ColumnUse]:
        """Return the use made of each column of the file, in order."""
        uses = self._mapping.column_uses
        return [
            ColumnUse(
                column, uses.get(column, "ignored"), self._filled[column], self._problems[column]
            )
            for column in self.columns
        ]

    def _read_header(self, cells: list[str]) -> None:
        self.columns = [cell.strip() for cell in cells]
        if len(cells) > MAX_COLUMNS:
            raise MappingError(f"the file has more than {MAX_COLUMNS} columns")
        mapped, counts = self._mapping.column_uses, Counter(self.columns)
        faults = [
            f"column `{column}` is not in the file" for column in mapped if column not in counts
        ]
        faults += [
            f"column {place} is not in the mapping: map it, or list it under `ignore`"
            for place, column in enumerate(self.columns, 1)
            if column not in mapped and not self._mapping.ignore_rest
        ]
        faults += [f"column `{column}` occurs twice" for column in mapped if counts[column] > 1]
        if faults:
            raise MappingError("\n".join(faults))

    def _read_row(self, line: int, cells: list[str]) -> ImportRow:
        if len(cells) != len(self.columns):
            expected_value = f"{len(self.columns)} cells, as in the first line"
            return ImportRow(line, "", None, (ImportProblem(line, "", expected_value),))
        row = dict(zip(self.columns, cells, strict=True))
        self._filled.update(name for name, cell in row.items() if cell.strip())
        problems: list[ImportProblem] = []
        body = self._build_body(line, row, problems)
        intake = None if problems else self._validate(line, body, problems)
        self._problems.update({problem.column for problem in problems})
        return ImportRow(line, self._name_row(row), intake, tuple(problems))

    def _build_body(
        self, line: int, row: dict[str, str], problems: list[ImportProblem]
    ) -> dict[str, Any]:
        mapping = self._mapping
        reference = row[self._patient].strip()
        if not reference:
            problems.append(ImportProblem(line, self._patient, "the patient's number"))
        answers: dict[str, Any] = dict(mapping.constants)
        for question in mapping.question:
            try:
                value = self._parsers[question.id].parse(row)
            except CellError as error:
                expected_value = str(error).removeprefix("expected ")
                problems.append(ImportProblem(line, question.column_names[0], expected_value))
                continue
            if value is not UNANSWERED:
                answers[question.id] = value
        return {
            "rulebook": self._rulebook,
            "patient": {"reference": reference, "system": mapping.system},
            "answered_on": self._parse_day(line, row, problems),
            "answered_by": mapping.answered_by,
            "answers": answers,
        }

    def _parse_day(
        self, line: int, row: dict[str, str], problems: list[ImportProblem]
    ) -> date | None:
        source = self._mapping.answered_on
        if source is None or not row[source.column].strip():
            return None
        day = parse_day(row[source.column], source.formats)
        if day in source.unknown:
            return None
        expected_value = None
        if day is None:
            expected_value = f"a date in the format {' or '.join(source.formats)}"
        elif find_day_fault(day):
            expected_value = f"a date from {EARLIEST_DAY} to today"
        if expected_value is not None:
            problems.append(ImportProblem(line, source.column, expected_value))
            return None
        return day

    def _validate(self, line: int, body: dict[str, Any], problems: list[ImportProblem]) -> Any:
        try:
            return self._intakes.validate_python(body)
        except ValidationError as error:
            problem = build_body_problem(error, body)
        problems += [
            ImportProblem(line, self._find_column(fault.pointer), fault.detail)
            for fault in problem.errors
        ]
        return None

    def _find_column(self, pointer: str) -> str:
        """Return the column of a JSON pointer into the body."""
        columns = {question.id: question.column_names[0] for question in self._mapping.question}
        _, _, within = pointer.partition("/answers/")
        return columns.get(within.partition("/")[0], self._patient)

    def _name_row(self, row: dict[str, str]) -> str:
        """Return a name that identifies the row when the file is imported again.

        This is the row's own name if the mapping has a column for it, otherwise all of its cells.
        """
        names = [row[column].strip() for column in self._mapping.row_columns]
        name = names[0] if len(names) == 1 else names if any(names) else ""
        return json.dumps(
            [self._mapping.source, RulebookName.parse(self._rulebook).instrument, name or row]
        )


def parse_day(cell: str, formats: Sequence[str]) -> date | None:
    """Return the day of a cell, without its time zone; None if it has none of the formats."""
    text = _TIME_ZONE.sub("", cell.strip())
    for day_format in formats:
        with suppress(ValueError):
            return datetime.strptime(text, day_format).date()  # noqa: DTZ007 - a day
    return None
