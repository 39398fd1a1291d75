"""Reads files of answers to be stored: each row as an intake, and the use made of each column.

Files are read as a batch reads them. A problem is reported by line, column and expected value, and
does not stop the other rows. Messages never repeat a cell.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

import polars as pl
from pydantic import TypeAdapter, ValidationError

from api.batch_scoring.chunk_scorer import ScoredChunk, score_frame
from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.counts.part_counts import RowPlace, list_notices, merge_notices
from api.batch_scoring.input_files import InputFile, ReadOptions, find_input_files, read_pieces
from api.batch_scoring.mapping.mapped_names import MappedNames
from api.batch_scoring.mapping.mapped_rows import RowMapper
from api.batch_scoring.mapping.mapping_file import IGNORED, MappingError
from api.batch_scoring.readers.answers import restore_answers
from api.batch_scoring.readers.base import ParsedRows
from api.intakes.models import StorableIntake, build_intake_model
from api.problems import build_body_problem
from schemas.batches.batch import (
    ANSWERED_ON,
    NOT_READ,
    PATIENT_REFERENCE,
    ROW_ID,
    RowNotice,
    RowProblem,
)
from schemas.patients.patient import find_latest_day
from scoring.columns import compile_column_rules
from scoring.compiled_rulebook import LoadedRulebook

DEFAULT_SOURCE = "import"


class ImportRow(NamedTuple):
    """A row: its place, its name in the file, and its intake, None if there are problems."""

    place: str
    name: str
    intake: Any
    problems: tuple[RowProblem, ...]

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
    """Reads files row by row; the column uses, notes and notices cover the rows read so far.

    Without a mapping in the options, the columns are question ids, `patient_reference`, `row_id`
    and `answered_on`. Rows of one `source` are identified by their row id, or else by their cells.
    """

    def __init__(
        self,
        file: str,
        loaded: LoadedRulebook,
        options: ReadOptions,
        input_format: str | None = None,
    ) -> None:
        mapping = options.mapping
        if mapping is not None and mapping.patient is None:
            raise MappingError("patient: the column of the patient's number is required")
        self._file, self._input_format = file, input_format
        self._loaded, self._mapping, self._rules = loaded, mapping, compile_column_rules(loaded)
        self._options = options._replace(mapping=None)
        self._mapper = None if mapping is None else RowMapper(loaded, mapping)
        self._uses = _list_uses(loaded) if mapping is None else mapping.column_uses
        self._intakes = TypeAdapter[Any](build_intake_model(loaded, [loaded.name], StorableIntake))
        self._filled: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self._rows = 0
        self._notices: list[RowNotice] = []
        self.notes: dict[str, None] = {}
        self.blank_lines = 0
        self.columns: list[str] = []

    def read_rows(self) -> Iterator[ImportRow]:
        """Yield every row. Raises UnusableInputError if the file does not fit the mapping."""
        files = find_input_files(self._file, self._input_format)
        formats = {file.file_format.format for file in files}
        if self._mapping is not None and not formats.isdisjoint({"json", "ndjson"}):
            raise MappingError("a mapping reads tables; JSON is read without one")
        for file, piece in read_pieces(files, self._loaded, self._build_names(), self._options):
            yield from self._read_part(file, piece.parse_rows())

    def list_column_uses(self) -> list[ColumnUse]:
        """Return the use made of each column of the file, in order."""
        return [
            ColumnUse(
                column,
                self._uses.get(column, IGNORED),
                self._filled[column],
                self._problems[column],
            )
            for column in self.columns
        ]

    @property
    def is_clean(self) -> bool:
        """Whether everything was read, and no row so far should be looked at."""
        return not self.list_notices() and not any(it.startswith(NOT_READ) for it in self.notes)

    def list_notices(self) -> tuple[RowNotice, ...]:
        """Return the rows that someone should look at although they are valid."""
        return merge_notices([it for it in self._notices if it.code != "no_answers"])

    def _build_names(self) -> ColumnNames:
        if self._mapping is None:
            return ColumnNames(self._loaded, may_quote=True)
        return MappedNames(self._loaded, self._mapping, reads_ignored=True)

    def _read_part(self, file: InputFile, source_rows: ParsedRows) -> Iterator[ImportRow]:
        cells = source_rows.frame
        self.columns = self.columns or cells.columns
        self.notes |= dict.fromkeys(source_rows.notes)
        self.blank_lines += source_rows.blank_lines
        for name in cells.columns:
            self._filled[name] += _count_filled(cells[name])
        rows = source_rows if self._mapper is None else self._mapper.map_rows(source_rows)
        chunk = score_frame(rows.frame, self._rules, faults=rows.faults, lines=rows.lines)
        place = RowPlace(self._rows, file.label)
        self._notices += list_notices(chunk, self._loaded, place, find_latest_day())
        yield from self._build_rows(file, cells, rows, chunk)
        self._rows += cells.height

    def _build_rows(
        self, file: InputFile, cells: pl.DataFrame, rows: ParsedRows, chunk: ScoredChunk
    ) -> Iterator[ImportRow]:
        problems_by_row: dict[int, list[RowProblem]] = {}
        for problem in chunk.list_problems(rows_before=self._rows, file=file.label):
            place = problem.row - self._rows - 1
            problems_by_row.setdefault(place, []).append(self._name_column(problem))
        lines = rows.lines([*range(cells.height)]) if rows.lines else [None] * cells.height
        parts = (cells.iter_rows(named=True), rows.frame.iter_rows(named=True),
                 chunk.intakes.iter_rows(named=True), lines)  # fmt: skip
        for number, (sent_row, mapped_row, typed_row, line) in enumerate(zip(*parts, strict=True)):
            problem = RowProblem(
                row=self._rows + number + 1, line=line, file=file.label, code="", expected=""
            )
            problems = problems_by_row.get(number, [])
            if not problems and not any(map(_is_filled, sent_row.values())):
                self.blank_lines += 1
                continue
            intake = None
            if not problems:
                answers = restore_answers(self._loaded, typed_row, mapped_row)
                intake = self._validate(self._build_body(mapped_row, answers), problem, problems)
            self._problems.update({it.column for it in problems if it.column})
            name = self._name_row(sent_row)
            yield ImportRow(problem.place, name, intake, tuple(problems))

    def _build_body(self, row: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
        mapping = self._mapping
        return {
            "rulebook": self._loaded.name,
            "patient": {
                "reference": row.get(PATIENT_REFERENCE) or "",
                "system": mapping.system if mapping else None,
            },
            "answered_on": date.fromisoformat(day) if (day := row.get(ANSWERED_ON)) else None,
            "answered_by": mapping.answered_by if mapping else None,
            "answers": answers,
        }

    def _validate(
        self, body: dict[str, Any], problem: RowProblem, problems: list[RowProblem]
    ) -> Any:
        patient = self._find_column(PATIENT_REFERENCE)
        if not body["patient"]["reference"]:
            expected = "must be the patient's number"
            problems.append(problem.model_copy(update={"column": patient, "expected": expected}))
            return None
        try:
            return self._intakes.validate_python(body)
        except ValidationError as error:
            faults = build_body_problem(error, body).errors
        for fault in faults:
            question = fault.pointer.removeprefix("/answers/").partition("/")[0]
            column = ANSWERED_ON if fault.pointer == "/answered_on" else question
            column = (
                column if column in (ANSWERED_ON, *self._loaded.questions) else PATIENT_REFERENCE
            )
            update = {"column": self._find_column(column), "expected": fault.detail}
            problems.append(problem.model_copy(update=update | {"code": fault.code}))
        return None

    def _name_column(self, problem: RowProblem) -> RowProblem:
        return problem.model_copy(update={"column": self._find_column(problem.column)})

    def _find_column(self, name: str | None) -> str | None:
        """Return the column of the file that is mapped to this name."""
        mapping = self._mapping
        if mapping is None or name is None:
            return name
        if name == PATIENT_REFERENCE:
            return mapping.patient
        if name == ANSWERED_ON and mapping.answered_on is not None:
            return mapping.answered_on.column
        return next((it.column_names[0] for it in mapping.question if it.id == name), name)

    def _name_row(self, row: dict[str, Any]) -> str:
        """Return a name that identifies the row when the file is imported again.

        This is the row's own name if the file has one, otherwise all of its cells.
        """
        texts = {name: "" if cell is None else str(cell) for name, cell in row.items()}
        columns = (ROW_ID,) if self._mapping is None else self._mapping.row_columns
        names = [texts.get(column, "").strip() for column in columns]
        name = names[0] if len(names) == 1 else names if any(names) else ""
        source = self._mapping.source if self._mapping else DEFAULT_SOURCE
        instrument = self._loaded.rulebook.rulebook.instrument
        return json.dumps([source, instrument, name or texts])


def _list_uses(loaded: LoadedRulebook) -> dict[str, str]:
    return {name: f"answers {name}" for name in loaded.questions} | {
        PATIENT_REFERENCE: "the patient's number",
        ROW_ID: "names the row",
        ANSWERED_ON: "the date of the answers",
    }


def _is_filled(cell: Any) -> bool:
    return bool(cell.strip()) if isinstance(cell, str) else cell is not None


def _count_filled(column: pl.Series) -> int:
    if column.dtype == pl.String:
        return int((column.str.strip_chars().fill_null("") != "").sum())
    return column.len() - column.null_count()
