"""NDJSON in: one intake a line, as a request body or as a flat object of answers.

Each line is read as strictly as a request is; what is wrong with one is told of its row alone.
"""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import polars as pl
from pydantic import TypeAdapter, ValidationError

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import unknown_told
from api.batch_scoring.readers.base import Rows, faults_of
from api.batch_scoring.readers.record_blocks import Block, blocks
from api.http import strict_json
from api.intakes.models import intake_model
from api.problems import Problem, wrong_shape
from schemas.batch import PASSED_THROUGH, PATIENT_REFERENCE
from schemas.patient import Reference
from scoring.answer_model import answer_model
from scoring.columns.expected_values import CODES, expected
from scoring.compiled_rulebook import LoadedRulebook

Fault = tuple[str | None, str, str]
BLOCK_BYTES = 4 * 1024 * 1024
_UNKNOWN = "extra_forbidden"
_BOM = b"\xef\xbb\xbf"


class JsonLines:
    """Lines of JSON as intakes of one rulebook."""

    def __init__(self, loaded: LoadedRulebook, names: ColumnNames) -> None:
        header = loaded.rulebook.rulebook
        self._loaded = loaded
        self._names = names
        self._body = intake_model(loaded, [header.instrument, header.name])
        self._answers = answer_model(loaded.rulebook)
        self.schema = pl.Schema(
            {name: pl.String() for name in PASSED_THROUGH}
            | {each.id: _KINDS[each.kind] for each in loaded.rulebook.question}
        )

    def read(self, line: bytes) -> tuple[dict[str, Any], list[Fault]]:
        """The row of one line, and its faults; a faulty row keeps what it is known by."""
        try:
            value = strict_json.parse(line)
        except Problem as problem:
            return {}, [_fault(each.pointer, each.code, each.detail) for each in problem.errors]
        if not isinstance(value, dict):
            return {}, [(None, "not_an_object", "must be an object")]
        row = value if "answers" in value else self._renamed(value)
        if len(row) < len(value):
            return {}, [(None, "doubled", "must not hold a name twice, nor two that mean the same")]
        known_by = {name: str(row[name]) for name in PASSED_THROUGH if _tells(row.get(name))}
        wrong: list[Fault] = [
            (name, "not_a_text", "must be a text or a whole number")
            for name in PASSED_THROUGH
            if row.get(name) is not None and name not in known_by
        ]
        reference = _reference_in(row)
        if reference is not None:
            known_by.setdefault(PATIENT_REFERENCE, reference)
        try:
            return known_by | self._answers_in(row), wrong
        except ValidationError as error:
            return known_by, wrong + self._faults(error, row)

    def _renamed(self, value: dict[str, Any]) -> dict[str, Any]:
        return {self._names.mapping.get(name, name): each for name, each in value.items()}

    def _answers_in(self, row: dict[str, Any]) -> dict[str, Any]:
        rest = {name: each for name, each in row.items() if name not in PASSED_THROUGH}
        if "answers" not in row:
            return self._answers.model_validate(self._asked(rest)).model_dump()
        if self._names.ignore_unknown:
            rest = {name: each for name, each in rest.items() if name in self._body.model_fields}
        named = {"rulebook": self._loaded.name, **rest, "answers": self._asked(rest["answers"])}
        body: Any = self._body.model_validate(named, from_attributes=False)
        answers: dict[str, Any] = body.answers.model_dump()
        return answers

    def _asked(self, answers: Any) -> Any:
        """The answers, less those to what is not asked where such are to be left out."""
        if not self._names.ignore_unknown or not isinstance(answers, dict):
            return answers
        return {name: each for name, each in answers.items() if name in self._names.questions}

    def _faults(self, error: ValidationError, row: dict[str, Any]) -> list[Fault]:
        found: list[dict[str, Any]] = [
            {**each, "loc": ("body", *each["loc"])} for each in error.errors()
        ]
        unknown = [each for each in found if each["type"] == _UNKNOWN]
        others = [each for each in found if each["type"] != _UNKNOWN]
        told = [
            _fault(each.pointer, each.code, each.detail) for each in wrong_shape(others, row).errors
        ]
        asked = self._loaded.questions
        return [
            (name, CODES[asked[name].kind], expected(asked[name], as_text=False))
            if name in asked
            else (name, code, detail)
            for name, code, detail in dict.fromkeys(told)
        ] + _unknown_in(row, [each["loc"][1:] for each in unknown])


class JsonPiece(NamedTuple):
    """A piece of an NDJSON file."""

    block: Block
    read: Callable[[bytes], tuple[dict[str, Any], list[Fault]]]
    schema: pl.Schema

    @property
    def bytes(self) -> int:
        """How much of the input it is."""
        return len(self.block.raw)

    def rows(self) -> Rows:
        """The answers, typed; empty lines are no rows."""
        read: list[dict[str, Any]] = []
        faults, begins = [], []
        for place, line in enumerate(self.block.raw.split(b"\n"), self.block.line):
            text = line.strip(b"\r\t ")
            if text:
                row, wrong = self.read(text)
                faults += [(len(read), *each) for each in wrong]
                begins.append(place)
                read.append({} if wrong else row)
                read[-1] |= {name: row.get(name) for name in PASSED_THROUGH}
        frame = pl.DataFrame(
            {name: [row.get(name) for row in read] for name in self.schema}, schema=self.schema
        )
        return Rows(frame, faults_of(faults), lambda rows: [begins[row] for row in rows])


def json_pieces(
    stream: BinaryIO,
    loaded: LoadedRulebook,
    names: ColumnNames,
    *,
    block_bytes: int | None = None,
    record_bytes: int | None = None,
) -> Iterator[JsonPiece]:
    """The pieces of an NDJSON file. Raises UnusableInputError for a line that is too long."""
    lines = JsonLines(loaded, names)
    cut = blocks(
        stream, quoted=False, block_bytes=block_bytes or BLOCK_BYTES, record_bytes=record_bytes
    )
    for number, block in enumerate(cut):
        raw = block.raw.removeprefix(_BOM) if number == 0 else block.raw
        yield JsonPiece(block._replace(raw=raw), lines.read, lines.schema)


_KINDS = {
    "boolean": pl.Boolean(),
    "integer": pl.Int32(),
    "decimal": pl.Float64(),
    "choice": pl.String(),
    "multi": pl.List(pl.String()),
}


def _tells(value: Any) -> bool:
    """Whether a row can be known by it."""
    return type(value) in (str, int)


_REFERENCE = TypeAdapter[str](Reference)


def _reference_in(row: dict[str, Any]) -> str | None:
    """The reference of a body's patient, where it is one, whatever else is wrong with the row."""
    patient = row.get("patient") if "answers" in row else None
    if not isinstance(patient, dict):
        return None
    try:
        return _REFERENCE.validate_python(patient.get("reference"), strict=True)
    except ValidationError:
        return None


def _unknown_in(row: dict[str, Any], unknown: list[tuple[str, ...]]) -> list[Fault]:
    """One fault for each object with members that are not known: told by their places."""
    held: dict[tuple[str, ...], set[str]] = {}
    for *steps, name in unknown:
        held.setdefault((*steps,), set()).add(name)
    faults: list[Fault] = []
    for holder, names in held.items():
        held_by: Any = row
        for step in holder:
            held_by = held_by[step]
        members = list(held_by)
        places = [place for place, name in enumerate(members) if name in names]
        told = unknown_told(places, len(members), "members")
        faults.append((holder[0] if holder else None, _UNKNOWN, told))
    return faults


def _fault(pointer: str, code: str, detail: str) -> Fault:
    """A fault by the question it is of, or by the nearest name on the way to it."""
    steps = pointer.strip("/").split("/")
    name = steps[1] if steps[0] == "answers" and len(steps) > 1 else steps[0]
    return (name or None, code, detail.replace("line 1, ", ""))  # the row tells its line
