"""Writes results as an Excel workbook: a sheet of rows, and a sheet that explains the columns."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from api.batch_scoring.file_formats import CODEBOOK_SHEET, UnusableInputError
from api.batch_scoring.output.results_codebook import CODEBOOK_HEADER, list_codebook_rows
from schemas.batches.batch import LIST_SEPARATOR
from scoring.compiled_rulebook import LoadedRulebook

MAX_ROWS = 1_048_575
"""The rows below the header that a sheet can have."""

_MAX_TEXT = 32_767


def write_workbook(parts: Sequence[Path], file: Path, loaded: LoadedRulebook) -> None:
    """Merge Arrow IPC files into a workbook. Raises UnusableInputError for what it cannot hold.

    Texts are stored as texts, so that none is run as a formula.
    """
    import xlsxwriter

    results = pl.scan_ipc(list(parts))
    rows = results.select(pl.len()).collect().item()
    if rows > MAX_ROWS:
        raise UnusableInputError(
            f"a sheet has at most {MAX_ROWS:,} rows, and there are {rows:,}; write Parquet or CSV"
        )
    with xlsxwriter.Workbook(str(file), {"constant_memory": True, "in_memory": False}) as book:
        sheet = book.add_worksheet("Results")
        sheet.freeze_panes(1, 0)
        _write_row(sheet, 0, results.collect_schema().names())
        line = 1
        for part in parts:
            for row in pl.read_ipc(part).iter_rows():
                _write_row(sheet, line, row)
                line += 1
        codebook = book.add_worksheet(CODEBOOK_SHEET)
        for place, codebook_row in enumerate((CODEBOOK_HEADER, *list_codebook_rows(loaded))):
            _write_row(codebook, place, codebook_row)


def _write_row(sheet: Any, line: int, cells: Iterable[Any]) -> None:
    for place, cell in enumerate(cells):
        match cell:
            case None:
                continue
            case bool():
                sheet.write_boolean(line, place, cell)
            case int() | float():
                sheet.write_number(line, place, cell)
            case _:
                text = cell if isinstance(cell, str) else LIST_SEPARATOR.join(map(str, cell))
                if len(text) > _MAX_TEXT:
                    raise UnusableInputError(
                        f"row {line}: a cell of a workbook has at most {_MAX_TEXT:,} characters; "
                        "write Parquet or CSV"
                    )
                if text:
                    sheet.write_string(line, place, text)
