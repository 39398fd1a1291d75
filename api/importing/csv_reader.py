"""Rows: a CSV file and its mapping in; what becomes of each column, and each row as an intake, out.

A row with a problem is told by its line, its column and what was expected, and never holds up the
others. Nothing that stands in a row is repeated, nor a name of a column that the mapping
does not know: where a header is missing, it is a patient's row.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from api.importing.cell_parser import NOT_SAID, CellError, answer
from api.importing.mapping import Mapping, MappingError
from api.intakes.models import KeptIntake, any_intake
from api.problems import wrong_shape
from schemas.patient import EARLIEST, day_fault
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook

MOST_COLUMNS = 5_000
LONGEST_CELL = 100_000


class Trouble(NamedTuple):
    """One thing that is wrong with a row."""

    line: int
    column: str
    expected: str


class Row(NamedTuple):
    """One row: its line, its name in the file, and the intake; None where there is trouble."""

    line: int
    name: str
    intake: Any
    troubles: tuple[Trouble, ...]


class Fate(NamedTuple):
    """What becomes of a column: what it is taken for, and how its cells fared."""

    column: str
    taken_for: str
    filled: int
    troubled: int


class Reading:
    """A file as it is read, row by row; `fates` tells of the rows that were read so far."""

    def __init__(
        self, file: Path, mapping: Mapping, loaded: LoadedRulebook, rulebooks: Catalogue
    ) -> None:
        self._file, self._mapping = file, mapping
        self._questions = {each.id: each for each in loaded.rulebook.question}
        self._rulebook = loaded.name
        self._checked = TypeAdapter[Any](any_intake(rulebooks.scored(), KeptIntake))
        self._filled: Counter[str] = Counter()
        self._troubled: Counter[str] = Counter()
        self.columns: list[str] = []

    def rows(self) -> Iterator[Row]:
        """Every row. Raises MappingError where file and mapping do not go together."""
        csv.field_size_limit(LONGEST_CELL)
        encoding = "utf-8-sig" if self._mapping.encoding == "utf-8" else self._mapping.encoding
        try:
            with self._file.open(encoding=encoding, newline="") as held:
                reader = csv.reader(held, delimiter=self._mapping.delimiter, strict=True)
                self._head(next(reader, []))
                line = reader.line_num + 1
                for cells in reader:
                    if any(each.strip() for each in cells):
                        yield self._row(line, cells)
                    line = reader.line_num + 1
        except UnicodeError:
            raise MappingError(f"the file is not in {self._mapping.encoding}") from None
        except csv.Error as error:
            raise MappingError(f"the file is not CSV: {error}") from None
        except OSError as error:
            raise MappingError(f"the file cannot be read: {error.strerror}") from None

    def fates(self) -> list[Fate]:
        """What becomes of each column of the file, in its order."""
        named = self._mapping.named
        return [
            Fate(each, named[each], self._filled[each], self._troubled[each])
            for each in self.columns
        ]

    def _head(self, columns: list[str]) -> None:
        self.columns = [each.strip() for each in columns]
        if len(columns) > MOST_COLUMNS:
            raise MappingError(f"the file has more than {MOST_COLUMNS} columns")
        named, counts = self._mapping.named, Counter(self.columns)
        faults = [f"column `{each}` is not in the file" for each in named if each not in counts]
        faults += [
            f"column {place} is in no line of the mapping: map it, or `ignore` it"
            for place, each in enumerate(self.columns, 1)
            if each not in named
        ]
        faults += [f"column `{each}` stands twice" for each in named if counts[each] > 1]
        if faults:
            raise MappingError("\n".join(faults))

    def _row(self, line: int, cells: list[str]) -> Row:
        if len(cells) != len(self.columns):
            expected = f"{len(self.columns)} cells, as in the first line"
            return Row(line, "", None, (Trouble(line, "", expected),))
        row = dict(zip(self.columns, cells, strict=True))
        self._filled.update(name for name, cell in row.items() if cell.strip())
        troubles: list[Trouble] = []
        body = self._body(line, row, troubles)
        intake = None if troubles else self._intake(line, body, troubles)
        self._troubled.update({each.column for each in troubles})
        return Row(line, self._name(row), intake, tuple(troubles))

    def _body(self, line: int, row: dict[str, str], troubles: list[Trouble]) -> dict[str, Any]:
        mapping = self._mapping
        reference = row[mapping.patient].strip()
        if not reference:
            troubles.append(Trouble(line, mapping.patient, "a number that names the patient"))
        answers = {}
        for each in mapping.question:
            try:
                given = answer(each, self._questions[each.id], row)
            except CellError as error:
                troubles.append(Trouble(line, each.named[0], str(error).removeprefix("expected ")))
                continue
            if given is not NOT_SAID:
                answers[each.id] = given
        return {
            "rulebook": self._rulebook,
            "patient": {"reference": reference, "system": mapping.system},
            "answered_on": self._day(line, row, troubles),
            "answered_by": mapping.answered_by,
            "answers": answers,
        }

    def _day(self, line: int, row: dict[str, str], troubles: list[Trouble]) -> date | None:
        told = self._mapping.answered_on
        if told is None or not row[told.column].strip():
            return None
        try:
            given = datetime.strptime(row[told.column].strip(), told.format)  # noqa: DTZ007 - a day
        except ValueError:
            troubles.append(Trouble(line, told.column, f"a day written as {told.format}"))
            return None
        if day_fault(given.date()):
            troubles.append(Trouble(line, told.column, f"a day from {EARLIEST} to today"))
            return None
        return given.date()

    def _intake(self, line: int, body: dict[str, Any], troubles: list[Trouble]) -> Any:
        try:
            return self._checked.validate_python(body)
        except ValidationError as error:
            faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        troubles += [
            Trouble(line, self._column(each.pointer), each.detail)
            for each in wrong_shape(faults, body).errors
        ]
        return None

    def _column(self, pointer: str) -> str:
        """The column behind a place in the body."""
        of = {each.id: each.named[0] for each in self._mapping.question}
        _, _, within = pointer.partition("/answers/")
        return of.get(within.partition("/")[0], self._mapping.patient)

    def _name(self, row: dict[str, str]) -> str:
        """What the row is known by when the file is read again: its own name, or all of it."""
        own = row[self._mapping.row].strip() if self._mapping.row else ""
        return json.dumps([self._mapping.source, self._rulebook.partition("@")[0], own or row])
