"""Mappings: which column of another tool's file answers which question.

MappingError    the author of the mapping must act; each line says where and what was expected
"""

import re
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from schemas.base import FrozenModel, Many, Name
from schemas.patients.patient import AnsweredBy, Reference
from schemas.rulebooks.rulebook import Question
from schemas.text import STORED_UNCHECKED
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

SourceColumn = Annotated[str, Field(min_length=1, max_length=1000)]
IGNORED = "ignored"
MappedInteger = Annotated[int, Field(ge=-(10**9), le=10**9), STORED_UNCHECKED]


def _check_date_format(day_format: str) -> str:
    """Return the format. Raises ValueError if `strptime` can't read a day by it."""
    try:
        datetime.strptime(_SAMPLE_DAY.strftime(day_format), day_format)  # noqa: DTZ007 - a day
    except (ValueError, re.error):
        raise ValueError("must be a date format such as %Y-%m-%d, each part once") from None
    return day_format


_SAMPLE_DAY = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
DateFormat = Annotated[
    str,
    Field(min_length=2, max_length=60),
    AfterValidator(_check_date_format),
    STORED_UNCHECKED,
]


class MappingError(ValueError):
    """The mapping cannot be used; the message has a line for each fault."""


class DateColumn(FrozenModel):
    """The column of a date, its format or formats (`strptime`), and days that mean: unknown.

    Anonymised surveys write the same day in every row, for example 1980-01-01.
    """

    column: SourceColumn
    format: DateFormat | Annotated[Many[DateFormat], Field(min_length=1)] = (
        *("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"),
        *("%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %I:%M:%S %p"),
        *("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"),
    )
    unknown: Many[date] = ()

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats, in the order in which they are tried."""
        return (self.format,) if isinstance(self.format, str) else self.format


class QuestionMap(FrozenModel):
    """The column that answers one question, or the columns of its options.

    `values` maps words in cells to answers, in addition to the labels and ids of the options;
    `none` lists words for "none of these", `unanswered` words for no answer. `times` is a factor,
    for example to convert years into months.
    """

    id: Name
    column: SourceColumn | None = None
    columns: dict[SourceColumn, str] = Field(default_factory=dict)
    none_column: SourceColumn | None = None
    split: Annotated[str, Field(min_length=1, max_length=5)] = ", "
    values: dict[str, bool | MappedInteger | str] = Field(default_factory=dict)
    none: Many[str] = ()
    unanswered: Many[str] = ()
    times: Annotated[int, Field(ge=1, le=1000)] = 1

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns that it reads."""
        single = (self.column, self.none_column)
        return (*(column for column in single if column is not None), *self.columns)


class SharedCells(FrozenModel):
    """Columns that one row of a record fills for all of its rows, as REDCap has it for repeats.

    The row that fills them comes first. It is not a row itself if it answers nothing else.
    """

    by: SourceColumn = Field(description="The column that names the record.")
    columns: Many[SourceColumn] = Field(min_length=1, description="The columns that are shared.")


class ImportMapping(FrozenModel):
    """The content of a mapping file.

    `row` names the columns that identify a row, for example record, event and instance. `missing`
    lists words and codes that mean: not answered, in any column. `decimal` and `thousands` are the
    marks in numbers; without them, a number that could be read in two ways is refused. `keep` lists
    columns that a batch returns with its results, `constants` the answers of all rows.
    """

    source: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")]
    rulebook: Annotated[str, Field(max_length=60)]
    patient: SourceColumn | None = None
    system: Reference | None = None
    row: SourceColumn | Many[SourceColumn] | None = None
    shared: SharedCells | None = Field(
        default=None, description="Cells that all rows of a record share."
    )
    answered_on: DateColumn | None = None
    answered_by: AnsweredBy | None = None
    ignore: Many[SourceColumn] = ()
    ignore_rest: bool = False
    keep: Many[SourceColumn] = ()
    missing: Many[str] = ()
    constants: dict[Name, bool | MappedInteger | str | Many[str]] = Field(default_factory=dict)
    decimal: Literal[",", "."] | None = None
    thousands: Literal[",", ".", " ", "'"] | None = None
    header_line: Annotated[int, Field(ge=1, le=1000)] = 1
    skip_rows: Annotated[int, Field(ge=0, le=1000)] = 0
    delimiter: Annotated[str, Field(pattern=r"^[\t !#-~]$"), STORED_UNCHECKED] = ","
    encoding: Literal["utf-8", "utf-16", "cp1252", "latin-1"] = "utf-8"
    question: Many[QuestionMap] = Field(min_length=1)

    def extend(self, keep: Sequence[str], missing: Sequence[str]) -> "ImportMapping":
        """Return the mapping with further columns to return and words for no answer."""
        update = {"keep": (*self.keep, *keep), "missing": (*self.missing, *missing)}
        return self.model_copy(update=update)

    @property
    def row_columns(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        if self.row is None:
            return ()
        return (self.row,) if isinstance(self.row, str) else self.row

    @property
    def column_uses(self) -> dict[str, str]:
        """The use made of each column that the mapping contains."""
        uses = dict.fromkeys(self.ignore, IGNORED) | dict.fromkeys(self.keep, "returned")
        for question in self.question:
            uses |= dict.fromkeys(question.column_names, f"answers {question.id}")
        if self.patient is not None:
            uses[self.patient] = "the patient's number"
        uses |= dict.fromkeys(self.row_columns, "names the row")
        if self.shared is not None:
            uses.setdefault(self.shared.by, "names the record")
        if self.answered_on is not None:
            uses[self.answered_on.column] = "the date of the answers"
        return uses


def load_mapping(file: Path, rulebooks: Catalogue) -> tuple[ImportMapping, LoadedRulebook]:
    """Read a mapping and return it with the rulebook that it maps to, which may be retired.

    Raises MappingError.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MappingError(f"the file is not UTF-8 TOML: {error}") from None
    return parse_mapping(text, rulebooks)


def parse_mapping(text: str, rulebooks: Catalogue) -> tuple[ImportMapping, LoadedRulebook]:
    """Return the mapping in a text, and its rulebook, which may be retired. Raises MappingError."""
    try:
        mapping = ImportMapping.model_validate(_parse_toml(text))
        loaded = rulebooks.find_released(mapping.rulebook)
    except ValidationError as error:
        raise MappingError("\n".join(map(_describe, error.errors()))) from None
    except UnknownRulebookError:
        names = ", ".join(rulebook.name for rulebook in rulebooks.list_released())
        raise MappingError(f"rulebook: expected one of {names}") from None
    faults = list_mapping_faults(mapping, loaded)
    if faults:
        raise MappingError("\n".join(faults))
    return mapping, loaded


def _parse_toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise MappingError(f"the mapping is not UTF-8 TOML: {error}") from None


def list_mapping_faults(mapping: ImportMapping, loaded: LoadedRulebook) -> list[str]:
    """Return in a sentence each name of the mapping that the rulebook does not know."""
    return list(_find_faults(mapping, loaded))


def _describe(fault: Any) -> str:
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"


def _find_faults(mapping: ImportMapping, loaded: LoadedRulebook) -> Any:
    questions = {question.id: question for question in loaded.rulebook.question}
    ids: set[str] = set()
    mapped_columns = {name for question in mapping.question for name in question.column_names}
    for name in mapping.shared.columns if mapping.shared else ():
        if name not in mapped_columns:
            yield f"shared: no question reads the column {name!r}"
    for name in mapping.constants:
        if name not in questions:
            yield f"constants: {loaded.name} has no question {name}"
    for question_map in mapping.question:
        where = f"question {question_map.id}"
        if question_map.id not in questions:
            yield f"{where}: {loaded.name} has no such question"
            continue
        if question_map.id in ids:
            yield f"{where}: expected only once"
        ids.add(question_map.id)
        if bool(question_map.columns) == (question_map.column is not None):
            yield f"{where}: expected either `column` or `columns`"
        yield from _find_value_faults(question_map, questions[question_map.id], where)


def _find_value_faults(question_map: QuestionMap, question: Question, where: str) -> Any:
    options = {option.id for option in question.options}
    if question_map.columns and question.kind != "multi":
        yield f"{where}: `columns` are for questions with several answers"
    if question_map.none and question.kind != "multi":
        yield f"{where}: `none` is for questions with several answers"
    for value in (*question_map.values.values(), *question_map.columns.values()):
        if question.kind in ("multi", "choice") and value not in options:
            yield f"{where}: `{value}` is not one of its options: {', '.join(sorted(options))}"
        if question.kind == "boolean" and not isinstance(value, bool):
            yield f"{where}: values are true or false"
