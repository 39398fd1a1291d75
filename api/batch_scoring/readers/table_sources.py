"""Opens files that hold a table: Parquet, Arrow, workbooks and files of statistics programs.

Cells of workbooks become text, dates in ISO format. A code with a value label becomes its label,
unless its question is a number or yes or no.
"""

import importlib
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from api.batch_scoring.file_formats import UnusableInputError
from schemas.rulebooks.rulebook import Question

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
_STATA_START, _STATA_END = b"<stata_dta>", b"</stata_dta>"
_TRANSPORT_RECORD = 80
Source = str | io.BytesIO


class TableOptions(NamedTuple):
    """The kind of a file, and for workbooks the sheet, the line of the header and rows to skip."""

    kind: str = "parquet"
    sheet: str | None = None
    header_line: int = 1
    skip_rows: int = 0


class OpenedTable(NamedTuple):
    """The rows of a table and how many there are; `is_numbered` if LINE_COLUMN has their lines."""

    rows: pl.LazyFrame
    height: int
    is_numbered: bool = False


def load_libraries(kind: str) -> None:
    """Import what reads this kind of file, which is not possible once a process is restricted."""
    if kind in _WORKBOOKS:
        importlib.import_module("python_calamine")
    elif kind not in {"parquet", "feather"}:
        importlib.import_module("pyreadstat")


def open_table(
    source: Source, options: TableOptions, questions: Mapping[str, Question]
) -> OpenedTable:
    """Open a table. Raises UnusableInputError if it is damaged or of another kind."""
    try:
        match options.kind:
            case "parquet":
                rows = pl.scan_parquet(source, glob=False)
            case "feather":
                rows = pl.read_ipc(source).lazy()
            case kind if kind in _WORKBOOKS:
                frame = _read_workbook(source, options)
                return OpenedTable(frame.lazy(), frame.height, is_numbered=True)
            case kind:
                rows = _read_statistics_file(source, kind, questions).lazy()
        return OpenedTable(rows, rows.select(pl.len()).collect().item())
    except (UnusableInputError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - each library has its own errors, also of panics
        name = _NAMES[options.kind]
        raise UnusableInputError(f"the file is not {name}, or is damaged") from None


def refuse_cut_file(file: Path, kind: str) -> None:
    """Raise UnusableInputError if a file ends early where its library would not say so.

    The child process that reads the file may not open it itself.
    """
    is_cut = (kind == "dta" and _is_cut_stata(file)) or (
        kind == "xpt" and file.stat().st_size % _TRANSPORT_RECORD
    )
    if is_cut:
        raise UnusableInputError("the file is cut off; fetch it again")


def _is_cut_stata(file: Path) -> bool:
    """Return whether a file of tagged sections lacks its last tag."""
    with file.open("rb") as stream:
        if stream.read(len(_STATA_START)) != _STATA_START:
            return False
        stream.seek(max(0, file.stat().st_size - len(_STATA_END)))
        return stream.read() != _STATA_END


def _read_workbook(source: Source, options: TableOptions) -> pl.DataFrame:
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
        raise UnusableInputError(f"sheet {sheet.name!r}, line {header_place + 1} is no header")
    header = [(_to_text(cell) or "").strip() for cell in lines[header_place]]
    while header and not header[-1]:
        header.pop()
    names = [name or f"\0{place}" for place, name in enumerate(header)]
    if len(set(names)) < len(names):
        raise UnusableInputError("two columns have the same name")
    first = options.header_line + options.skip_rows
    rows = [(line, cells) for line, cells in enumerate(lines[first:], first + 1) if any(
        _to_text(cell) is not None for cell in cells)]  # fmt: skip
    columns = {
        name: [_to_text(cells[place]) if place < len(cells) else None for _, cells in rows]
        for place, name in enumerate(names)
        if not name.startswith("\0")
    }
    schema = dict.fromkeys(columns, pl.String)
    lines_column = pl.Series(LINE_COLUMN, [line for line, _ in rows], pl.UInt64)
    return pl.DataFrame(columns, schema=schema).with_columns(lines_column)


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
