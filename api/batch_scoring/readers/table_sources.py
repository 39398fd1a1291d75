"""Opens files that hold a table: Parquet, Arrow, workbooks and files of statistics programs.

Cells of workbooks become text, dates in ISO format. A code with a value label becomes its label,
unless its question is a number or yes or no.
"""

import importlib
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from api.batch_scoring.file_formats import CODEBOOK_SHEET, UnusableInputError, join_names
from api.batch_scoring.readers.table_damage import (
    count_arrow_rows,
    count_parquet_rows,
    refuse_damaged_archive,
)
from schemas.batches.batch import NOT_READ
from schemas.rulebooks.rulebook import Question

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

LINE_COLUMN = "\0line"
_WORKBOOKS = ("xlsx", "xls", "ods")
_NAMES = {
    "parquet": "Parquet",
    "feather": "Arrow or Feather",
    "xlsx": "an Excel workbook",
    "xls": "an Excel 97 workbook",
    "ods": "an OpenDocument spreadsheet",
    "sav": "SPSS",
    "dta": "Stata",
    "sas7bdat": "SAS",
    "xpt": "a SAS transport file",
}
Source = str | io.BytesIO


class TableOptions(NamedTuple):
    """The kind of a file, and for workbooks the sheet, the line of the header and rows to skip.

    `height` is the number of rows that the file should have, if it is known.
    """

    kind: str = "parquet"
    sheet: str | None = None
    header_line: int = 1
    skip_rows: int = 0
    height: int | None = None


class OpenedTable(NamedTuple):
    """The rows of a table and how many there are; `is_numbered` if LINE_COLUMN has their lines.

    `left_out`, `blank_lines` and `notes` are as in ParsedRows.
    """

    rows: pl.LazyFrame
    height: int
    is_numbered: bool = False
    left_out: tuple[str, ...] = ()
    blank_lines: int = 0
    notes: tuple[str, ...] = ()


def load_libraries(kind: str) -> None:
    """Import what reads this kind of file, which is not possible once a process is restricted."""
    if kind in _WORKBOOKS:
        importlib.import_module("python_calamine")
    elif kind not in {"parquet", "feather"}:
        importlib.import_module("pyreadstat")


def open_table(
    source: Source, options: TableOptions, questions: Mapping[str, Question]
) -> OpenedTable:
    """Open a table. Raises UnusableInputError if it is damaged or of another kind.

    A file that has a path was checked by `check_file` before.
    """
    expected_height: int | None
    try:
        match options.kind:
            case "parquet":
                rows = pl.scan_parquet(source, glob=False)
                expected_height = count_parquet_rows(rows)
            case "feather":
                rows = pl.read_ipc(source).lazy()
                expected_height = (
                    options.height if isinstance(source, str) else count_arrow_rows(source)
                )
            case kind if kind in _WORKBOOKS:
                if not isinstance(source, str):
                    refuse_damaged_archive(source)
                    source.seek(0)
                return _read_workbook(source, options)
            case kind:
                rows = _read_statistics_file(source, kind, questions).lazy()
                expected_height = options.height
        height = rows.select(pl.len()).collect().item()
    except (UnusableInputError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - each library has its own errors, also of panics
        name = _NAMES[options.kind]
        raise UnusableInputError(f"the file is not {name}, or is damaged") from None
    if expected_height not in {None, height}:
        raise UnusableInputError("the file is damaged: it has other rows than it counts")
    return OpenedTable(rows, height)


def _read_workbook(source: Source, options: TableOptions) -> OpenedTable:
    from python_calamine import CalamineWorkbook

    book = (
        CalamineWorkbook.from_path(source)
        if isinstance(source, str)
        else CalamineWorkbook.from_filelike(source)
    )
    if options.sheet is not None and options.sheet not in book.sheet_names:
        raise UnusableInputError(
            f"the workbook has no sheet {options.sheet!r}; it has {', '.join(book.sheet_names)}"
        )
    sheet = book.get_sheet_by_name(options.sheet or book.sheet_names[0])
    lines = sheet.to_python(skip_empty_area=False)
    header_place = options.header_line - 1
    if header_place >= len(lines) or not any(map(_to_text, lines[header_place])):
        raise UnusableInputError(f"sheet {sheet.name!r}, line {header_place + 1} is not a header")
    header = [(_to_text(cell) or "").strip() for cell in lines[header_place]]
    while header and not header[-1]:
        header.pop()
    names = [name or f"\0{place}" for place, name in enumerate(header)]
    if len(set(names)) < len(names):
        raise UnusableInputError("two columns have the same name")
    first = options.header_line + options.skip_rows
    rows = [
        (line, [_to_text(cell) for cell in cells])
        for line, cells in enumerate(lines[first:], first + 1)
    ]
    filled_rows = [(line, cells) for line, cells in rows if any(cells)]
    columns = {
        name: [cells[place] if place < len(cells) else None for _, cells in filled_rows]
        for place, name in enumerate(names)
        if not name.startswith("\0")
    }
    schema = dict.fromkeys(columns, pl.String)
    lines_column = pl.Series(LINE_COLUMN, [line for line, _ in filled_rows], pl.UInt64)
    frame = pl.DataFrame(columns, schema=schema).with_columns(lines_column)
    return OpenedTable(
        frame.lazy(),
        frame.height,
        is_numbered=True,
        blank_lines=len(rows) - len(filled_rows),
        notes=(
            *_describe_unnamed_columns(names, [cells for _, cells in filled_rows]),
            *_describe_other_sheets(book, sheet.name, is_chosen=options.sheet is not None),
        ),
    )


def _describe_unnamed_columns(
    names: Sequence[str], rows: Sequence[Sequence[str | None]]
) -> tuple[str, ...]:
    """Return a sentence about the columns that have cells and no name in the header."""
    filled_places = {
        place for cells in rows for place, cell in enumerate(cells) if cell is not None
    }
    unnamed_places = sorted(
        place for place in filled_places if place >= len(names) or names[place].startswith("\0")
    )
    if not unnamed_places:
        return ()
    columns = ", ".join(f"column {place + 1}" for place in unnamed_places)
    return (f"{NOT_READ}{columns}: the header has no name for it",)


def _describe_other_sheets(
    book: "CalamineWorkbook", name: str, *, is_chosen: bool
) -> tuple[str, ...]:
    """Return a sentence about the sheets that have cells and are not read."""
    other_names = [
        other
        for other in book.sheet_names
        if other not in (name, CODEBOOK_SHEET) and book.get_sheet_by_name(other).height
    ]
    if not other_names:
        return ()
    sheets = join_names(other_names)
    if is_chosen:
        return (f"only sheet {name!r} was read, not {sheets}",)
    return (f"{NOT_READ}sheet {sheets}; only {name!r} was read, unless --sheet names another one",)


def _to_text(cell: Any) -> str | None:  # noqa: PLR0911 - one case for each kind of cell
    """Return a cell as text; None if it is empty."""
    match cell:
        case None | "":
            return None
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case datetime():
            return cell.isoformat(" ")
        case date():
            return cell.isoformat()
    return str(cell)


def _read_statistics_file(
    source: Source, kind: str, questions: Mapping[str, Question]
) -> pl.DataFrame:
    import pyreadstat

    if not isinstance(source, str):
        raise UnusableInputError("files of statistics programs are read by the command line only")
    readers: dict[str, Callable[..., Any]] = {
        "sav": pyreadstat.read_sav,
        "dta": pyreadstat.read_dta,
        "sas7bdat": pyreadstat.read_sas7bdat,
        "xpt": pyreadstat.read_xport,
    }
    columns, metadata = readers[kind](source, output_format="dict")
    labels: Mapping[str, Mapping[Any, str]] = metadata.variable_value_labels
    series = [
        _build_series(name, values, labels.get(name, {}), questions.get(name))
        for name, values in columns.items()
    ]
    return pl.DataFrame(series)


def _build_series(
    name: str, values: Sequence[Any], labels: Mapping[Any, str], question: Question | None
) -> pl.Series:
    """Return a column: labels where it has labels, otherwise its values."""
    values = [None if _is_empty(value) else value for value in values]
    has_words = question is None or question.kind in ("choice", "multi")
    if labels and has_words:
        values = [None if value is None else labels.get(value, _to_text(value)) for value in values]
    if any(isinstance(value, str | date) for value in values):
        return pl.Series(name, [_to_text(value) for value in values], pl.String)
    return pl.Series(name, values, pl.Float64)


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value != value  # noqa: PLR0124 - not a number
