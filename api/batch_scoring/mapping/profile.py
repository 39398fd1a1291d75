"""Profiles a file under its mapping: what each column becomes, and which rows stand out."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import polars as pl

from api.batch_scoring.counts.row_keys import encode_row_keys, find_repeated_rows
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.input_files import (
    ReadOptions,
    add_file_options,
    find_input_files,
    read_pieces,
)
from api.batch_scoring.mapping.mapped_names import MappedNames
from api.batch_scoring.mapping.mapped_rows import RowMapper
from api.batch_scoring.mapping.mapping_file import ImportMapping
from api.batch_scoring.readers.base import ParsedRows
from api.batch_scoring.readers.csv import CsvOptions
from schemas.batches.batch import RowNotice
from scoring.columns.reading.parsing import parse_intakes
from scoring.compiled_rulebook import LoadedRulebook

SHOWN_OPTIONS = 8


class ColumnProfile(NamedTuple):
    """One column: its use, its filled and refused cells, and the answers by option."""

    name: str
    use: str
    filled_cells: int
    refused_cells: int
    answered_rows: int
    options: dict[str, int]

    def describe_answers(self, rows: int) -> str:
        """Return the share of rows with an answer, and the most frequent options."""
        if not self.use.startswith("answers"):
            return ""
        share = f"{self.answered_rows / rows:.0%} of rows" if rows else "no rows"
        options = [f"{name} {count:,}" for name, count in self.options.items()][:SHOWN_OPTIONS]
        return f"{share}: {', '.join(options)}" if options else share


class FileProfile(NamedTuple):
    """A file under its mapping. `refused_rows` and `empty_rows` count rows."""

    rows: int
    refused_rows: int
    empty_rows: int
    columns: list[ColumnProfile]
    left_out: tuple[str, ...]
    repeated: list[RowNotice]
    unasked: list[str]

    @property
    def is_clean(self) -> bool:
        """Whether no row would be refused or is repeated."""
        return not self.refused_rows and not self.repeated

    def list_remarks(self) -> Iterator[str]:
        """Yield what should be known before the file is read."""
        if self.left_out:
            yield f"not read: {', '.join(self.left_out)}"
        if self.unasked:
            yield f"red flag questions that no column answers: {', '.join(self.unasked)}"
        refusals = f"{self.refused_rows:,} refused"
        yield f"{self.rows:,} rows, {refusals}, {self.empty_rows:,} without answers"
        yield from (notice.message for notice in self.repeated)


def read_header(
    file: str, loaded: LoadedRulebook, sheet: str | None = None, header_line: int = 1
) -> list[str]:
    """Return the names of the columns of a file. Raises UnusableInputError."""
    options = ReadOptions(CsvOptions(header_line=header_line), sheet)
    files = find_input_files(file, None)
    no_questions = ImportMapping.model_construct(source="", rulebook=loaded.name, question=())
    names = MappedNames(loaded, no_questions, ignore_unknown=True, reads_ignored=True)
    for _, piece in read_pieces(files[:1], loaded, names, options):
        return piece.parse_rows().frame.columns
    raise UnusableInputError(f"{file}: there is no row below the header")


def profile_file(
    file: str, mapping: ImportMapping, loaded: LoadedRulebook, sheet: str | None = None
) -> FileProfile:
    """Read a whole file under a mapping and count. Raises UnusableInputError."""
    names, mapper = MappedNames(loaded, mapping), RowMapper(loaded, mapping)
    options = add_file_options(ReadOptions(sheet=sheet), mapping)._replace(mapping=None)
    counts = _Counts()
    for _, piece in read_pieces(find_input_files(file, None), loaded, names, options):
        source_rows = piece.parse_rows()
        counts.add(source_rows.frame, mapper.map_rows(source_rows), loaded)
        counts.left_out.update(source_rows.left_out)
    mapped_questions = {question.id for question in mapping.question} | mapping.constants.keys()
    safety_questions = loaded.rulebook.rulebook.safety_questions
    return FileProfile(
        counts.rows,
        counts.refused_rows,
        counts.empty_rows,
        [counts.describe(name, use, mapping) for name, use in names.uses.items()],
        tuple(sorted(counts.left_out)),
        find_repeated_rows([(before, partial(bytes, keys)) for before, keys in counts.row_keys]),
        [name for name in safety_questions if name not in mapped_questions],
    )


class _Counts:
    """Adds up the parts of a file."""

    def __init__(self) -> None:
        self.rows = self.refused_rows = self.empty_rows = 0
        self.left_out: set[str] = set()
        self.row_keys: list[tuple[int, bytes]] = []
        self._filled: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()
        self._options: dict[str, Counter[str]] = {}

    def add(self, cells: pl.DataFrame, rows: ParsedRows, loaded: LoadedRulebook) -> None:
        """Count the cells of a part, and the answers that they become."""
        intakes = parse_intakes(rows.frame, loaded, rows.faults)
        questions = [name for name in loaded.questions if name in rows.frame.columns]
        self.row_keys.append((self.rows, encode_row_keys(rows.frame)))
        self.rows += cells.height
        self.refused_rows += intakes.faults["row"].n_unique()
        is_empty = pl.all_horizontal(pl.col(questions).is_null()) & pl.col("problems").is_null()
        self.empty_rows += intakes.intakes.select(is_empty.sum()).item()
        for name in cells.columns:
            self._filled[name] += int((cells[name].cast(pl.String).fill_null("") != "").sum())
        self._refused.update(intakes.faults["column"].drop_nulls())
        for name in questions:
            answers = rows.frame[name].drop_nulls()
            self._answered[name] += len(answers)
            words = answers.explode() if answers.dtype == pl.List else answers
            if loaded.questions[name].kind in ("boolean", "choice", "multi"):
                values = words.drop_nulls().cast(pl.String)
                self._options.setdefault(name, Counter()).update(values)

    def describe(self, name: str, use: str, mapping: ImportMapping) -> ColumnProfile:
        """Return the profile of one column."""
        question = next((it.id for it in mapping.question if name in it.column_names), "")
        is_first = any(it.column_names[0] == name for it in mapping.question)
        refused_cells = self._refused[name] + (self._refused[question] if is_first else 0)
        options = self._options.get(question, Counter())
        return ColumnProfile(
            name, use, self._filled[name], refused_cells, self._answered[question],
            dict(options.most_common()),
        )  # fmt: skip
