"""Mappings: a file that says which column of another tool's export answers which question.

MappingError    whoever wrote the mapping must act; each line says where and what was expected
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from schemas.base import Frozen, Many, Name
from schemas.patient import AnsweredBy, Reference
from schemas.rulebook import Question
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

MAPS = Path(__file__).parent / "maps"
Column = Annotated[str, Field(min_length=1, max_length=1000)]


class MappingError(ValueError):
    """The mapping cannot be used; the message has a line for each thing that is wrong."""


class DateColumn(Frozen):
    """The column of a date, and how it is written there (`strptime`)."""

    column: Column
    format: Annotated[str, Field(min_length=2, max_length=60)] = "%Y-%m-%d"


class QuestionMap(Frozen):
    """How one question is answered: by one column, or by a column for each option.

    `values` are words of the cells beside the labels and ids of the options; `none` are words that
    say "none of these"; `unanswered` words that say nothing. `times` turns years into months.
    """

    id: Name
    column: Column | None = None
    columns: dict[Column, str] = Field(default_factory=dict)
    none_column: Column | None = None
    split: Annotated[str, Field(min_length=1, max_length=5)] = ", "
    values: dict[str, bool | int | str] = Field(default_factory=dict)
    none: Many[str] = ()
    unanswered: Many[str] = ()
    times: Annotated[int, Field(ge=1, le=1000)] = 1

    @property
    def named(self) -> tuple[str, ...]:
        """Every column that it reads."""
        alone = (self.column, self.none_column)
        return (*(each for each in alone if each is not None), *self.columns)


class Mapping(Frozen):
    """A mapping file."""

    source: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")]
    rulebook: Annotated[str, Field(max_length=60)]
    patient: Column
    system: Reference | None = None
    row: Column | None = None
    answered_on: DateColumn | None = None
    answered_by: AnsweredBy | None = None
    ignore: Many[Column] = ()
    delimiter: Literal[",", ";", "\t"] = ","
    encoding: Literal["utf-8", "utf-16", "cp1252"] = "utf-8"
    question: Many[QuestionMap] = Field(min_length=1)

    @property
    def named(self) -> dict[str, str]:
        """What becomes of every column that the mapping names."""
        fates = dict.fromkeys(self.ignore, "left out")
        for each in self.question:
            fates |= dict.fromkeys(each.named, f"answers {each.id}")
        fates[self.patient] = "the patient's number"
        if self.row is not None:
            fates[self.row] = "names the row"
        if self.answered_on is not None:
            fates[self.answered_on.column] = "the day of the answers"
        return fates


def read(file: Path, rulebooks: Catalogue) -> tuple[Mapping, LoadedRulebook]:
    """The mapping with the rulebook that it maps to. Raises MappingError."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        mapping = Mapping.model_validate(table)
        loaded = rulebooks.active(mapping.rulebook)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"it is not TOML in UTF-8: {error}") from None
    except ValidationError as error:
        raise MappingError("\n".join(map(_told, error.errors()))) from None
    except UnknownRulebookError:
        names = ", ".join(each.name for each in rulebooks.scored())
        raise MappingError(f"rulebook: expected one of {names}") from None
    faults = list(_faults(mapping, loaded))
    if faults:
        raise MappingError("\n".join(faults))
    return mapping, loaded


def samples() -> dict[str, Path]:
    """The mappings that ship, by the tool whose exports they are for."""
    return {each.stem: each for each in sorted(MAPS.glob("*.toml"))}


def _told(fault: Any) -> str:
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"


def _faults(mapping: Mapping, loaded: LoadedRulebook) -> Any:
    questions = {each.id: each for each in loaded.rulebook.question}
    seen: set[str] = set()
    for each in mapping.question:
        at = f"question {each.id}"
        if each.id not in questions:
            yield f"{at}: {loaded.name} asks no such question"
            continue
        if each.id in seen:
            yield f"{at}: expected once"
        seen.add(each.id)
        if bool(each.columns) == (each.column is not None):
            yield f"{at}: expected either `column` or `columns`"
        yield from _value_faults(each, questions[each.id], at)


def _value_faults(each: QuestionMap, question: Question, at: str) -> Any:
    options = {option.id for option in question.options}
    if each.columns and question.kind != "multi":
        yield f"{at}: `columns` are for questions with several answers"
    if each.none and question.kind != "multi":
        yield f"{at}: `none` is for questions with several answers"
    for value in (*each.values.values(), *each.columns.values()):
        if question.kind in ("multi", "choice") and value not in options:
            yield f"{at}: `{value}` is none of its options: {', '.join(sorted(options))}"
        if question.kind == "boolean" and not isinstance(value, bool):
            yield f"{at}: values are true or false"
