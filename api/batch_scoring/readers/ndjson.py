"""Reads NDJSON: one intake per line, as a request body or as a flat object of answers.

Each line is validated as strictly as a request; a faulty line affects only its own row.
"""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import polars as pl
from pydantic import TypeAdapter, ValidationError

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import describe_unknown, join_first
from api.batch_scoring.readers.base import ParsedRows, build_faults_frame
from api.batch_scoring.readers.record_blocks import RecordBlock, read_blocks
from api.http.bodies.json_body import parse_json
from api.intakes.models import build_intake_model
from api.problems import Problem, build_validation_problem
from schemas.batches.batch import ANSWERED_ON, PASSTHROUGH_COLUMNS, PATIENT_REFERENCE
from schemas.patients.patient import Reference
from scoring.answer_model import find_answer_model
from scoring.columns.reading.expected_values import FAULT_CODES, describe_expected_value
from scoring.compiled_rulebook import LoadedRulebook

LineFault = tuple[str | None, str, str]
"""The column, the code and the expected value."""

ResourceTranslator = Callable[[dict[str, Any]], tuple[dict[str, Any], list[LineFault]]]
"""Translates a FHIR resource into a flat row, or into its identifiers and faults."""

BLOCK_BYTES = 4 * 1024 * 1024
_UNKNOWN = "extra_forbidden"
_BOM = b"\xef\xbb\xbf"
COLUMN_TYPES = {
    "boolean": pl.Boolean(),
    "integer": pl.Int32(),
    "decimal": pl.Float64(),
    "choice": pl.String(),
    "multi": pl.List(pl.String()),
}
_REFERENCE = TypeAdapter[str](Reference)


class LineParser:
    """Parses lines of JSON as intakes of one rulebook."""

    def __init__(
        self,
        loaded: LoadedRulebook,
        names: ColumnNames,
        translate_resource: ResourceTranslator | None = None,
    ) -> None:
        self._translate_resource = translate_resource
        header = loaded.rulebook.rulebook
        self._loaded = loaded
        self._names = names
        self.left_out: set[str] = set()
        self.passthrough = tuple(dict.fromkeys((*PASSTHROUGH_COLUMNS, ANSWERED_ON, *names.keep)))
        self._body = build_intake_model(loaded, [header.instrument, header.name])
        self._answers = find_answer_model(loaded)
        self.schema = pl.Schema(
            {name: pl.String() for name in self.passthrough}
            | {question.id: COLUMN_TYPES[question.kind] for question in loaded.rulebook.question}
        )

    def parse(self, line: bytes) -> tuple[dict[str, Any], list[LineFault]]:
        """Return the row of one line and its faults; a faulty row keeps its identifiers."""
        try:
            value = parse_json(line)
        except Problem as problem:
            return {}, [_fault(error.pointer, error.code, error.detail) for error in problem.errors]
        if not isinstance(value, dict):
            return {}, [(None, "not_an_object", "must be an object")]
        if "resourceType" in value and self._translate_resource is not None:
            value, resource_faults = self._translate_resource(value)
            if resource_faults:
                return value, resource_faults
        row = value if "answers" in value else self._translate_names(value)
        if len(row) < len(value):
            return {}, [
                (
                    None,
                    "duplicate_name",
                    "must not contain a name twice, nor two names of the same question",
                )
            ]
        identifiers = {
            name: str(row[name]) for name in self.passthrough if type(row.get(name)) in (str, int)
        }
        faults: list[LineFault] = [
            (name, "not_a_text", "must be text or a whole number")
            for name in self.passthrough
            if row.get(name) is not None and name not in identifiers
        ]
        reference = _find_reference(row)
        if reference is not None:
            identifiers.setdefault(PATIENT_REFERENCE, reference)
        try:
            return identifiers | self._validate(row), faults
        except ValidationError as error:
            return identifiers, faults + self._list_faults(error, row)

    def _translate_names(self, row: dict[str, Any]) -> dict[str, Any]:
        return {self._names.mapping.get(name, name): value for name, value in row.items()}

    def _validate(self, row: dict[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in row.items() if name not in self.passthrough}
        if "answers" not in row:
            return self._answers.model_validate(self._select_answers(rest)).model_dump()
        if self._names.ignore_unknown:
            self.left_out.update(rest.keys() - self._body.model_fields.keys())
            rest = {name: value for name, value in rest.items() if name in self._body.model_fields}
        defaults = {"rulebook": self._loaded.name}
        intake = {**defaults, **rest, "answers": self._select_answers(rest["answers"])}
        body: Any = self._body.model_validate(intake, from_attributes=False)
        answers: dict[str, Any] = body.answers.model_dump()
        return answers

    def _select_answers(self, answers: Any) -> Any:
        if not isinstance(answers, dict):
            return answers
        is_missing = self._names.missing.is_missing
        answers = {name: value for name, value in answers.items() if not is_missing(value)}
        if not self._names.ignore_unknown:
            return answers
        unknown = [name for name in answers if name not in self._names.questions]
        ignored_names = {name for name in unknown if self._names.find_nearest(str(name)) is None}
        self.left_out.update(ignored_names)
        return {name: answer for name, answer in answers.items() if name not in ignored_names}

    def _list_faults(self, validation: ValidationError, row: dict[str, Any]) -> list[LineFault]:
        errors: list[dict[str, Any]] = [
            {**error, "loc": ("body", *error["loc"])} for error in validation.errors()
        ]
        unknown = [error["loc"][1:] for error in errors if error["type"] == _UNKNOWN]
        problem = build_validation_problem(
            [error for error in errors if error["type"] != _UNKNOWN], row
        )
        faults = [_fault(error.pointer, error.code, error.detail) for error in problem.errors]
        questions = self._loaded.questions
        return [
            (
                name,
                FAULT_CODES[questions[name].kind],
                describe_expected_value(questions[name], as_text=False),
            )
            if name in questions
            else (name, code, detail)
            for name, code, detail in dict.fromkeys(faults)
        ] + _list_unknown(row, unknown, self._names)


class NdjsonPiece(NamedTuple):
    """A piece of an NDJSON file."""

    block: RecordBlock
    parser: LineParser

    @property
    def input_bytes(self) -> int:
        """The bytes of input that the piece covers."""
        return len(self.block.raw)

    @property
    def content(self) -> bytes:
        """The input that the piece covers."""
        return self.block.raw

    def parse_rows(self) -> ParsedRows:
        """Parse the answers, typed; empty lines are not rows."""
        schema = self.parser.schema
        rows: list[dict[str, Any]] = []
        faults, first_lines = [], []
        lines = self.block.raw.removesuffix(b"\n").split(b"\n")
        for line, raw in enumerate(lines, self.block.first_line):
            text = raw.strip(b"\r\t ")
            if text:
                row, row_faults = self.parser.parse(text)
                faults += [(len(rows), *fault) for fault in row_faults]
                first_lines.append(line)
                rows.append({} if row_faults else row)
                rows[-1] |= {name: row.get(name) for name in self.parser.passthrough}
        frame = pl.DataFrame(
            {name: [row.get(name) for row in rows] for name in schema}, schema=schema
        )
        return ParsedRows(
            frame,
            build_faults_frame(faults),
            lambda rows: [first_lines[row] for row in rows],
            blank_lines=len(lines) - len(rows),
            left_out=tuple(sorted(self.parser.left_out)),
        )


def read_ndjson_pieces(  # noqa: PLR0913 - a file, its rulebook and its limits
    stream: BinaryIO,
    loaded: LoadedRulebook,
    names: ColumnNames,
    *,
    translate_resource: ResourceTranslator | None = None,
    block_bytes: int | None = None,
    record_bytes: int | None = None,
) -> Iterator[NdjsonPiece]:
    """Yield the pieces of an NDJSON file. Raises UnusableInputError for a line that is too long."""
    parser = LineParser(loaded, names, translate_resource)
    line_blocks = read_blocks(
        stream, quoted=False, block_bytes=block_bytes or BLOCK_BYTES, record_bytes=record_bytes
    )
    for number, block in enumerate(line_blocks):
        raw = block.raw.removeprefix(_BOM) if number == 0 else block.raw
        yield NdjsonPiece(block._replace(raw=raw), parser)


def _find_reference(row: dict[str, Any]) -> str | None:
    """Return the patient's reference of a request body if it is valid, even in a faulty row."""
    patient = row.get("patient") if "answers" in row else None
    if not isinstance(patient, dict):
        return None
    try:
        return _REFERENCE.validate_python(patient.get("reference"), strict=True)
    except ValidationError:
        return None


def _list_unknown(
    row: dict[str, Any], unknown: list[tuple[str, ...]], column_names: ColumnNames
) -> list[LineFault]:
    """Return one fault for each object with unknown members, which are given by position."""
    names_by_path: dict[tuple[str, ...], set[str]] = {}
    for *path, name in unknown:
        names_by_path.setdefault((*path,), set()).add(name)
    faults: list[LineFault] = []
    for parents, names in names_by_path.items():
        parent: Any = row
        for step in parents:
            parent = parent[step]
        places = [place for place, name in enumerate(parent) if name in names]
        detail = describe_unknown(places, len(parent), "members")
        nearest_names = map(column_names.find_nearest, names)
        questions = sorted({name for name in nearest_names if name is not None})
        if questions:
            detail += f"; did you mean {join_first(questions)}?"
        faults.append((parents[0] if parents else None, _UNKNOWN, detail))
    return faults


def _fault(pointer: str, code: str, detail: str) -> LineFault:
    """Return a fault of the question that the pointer names, or else of its first member."""
    steps = pointer.strip("/").split("/")
    name = steps[1] if steps[0] == "answers" and len(steps) > 1 else steps[0]
    return (name or None, code, detail.replace("line 1, ", ""))  # the row gives its own line
