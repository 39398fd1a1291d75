"""Parses the day of the answers from a cell of another tool."""

import re
from contextlib import suppress
from datetime import datetime

from api.batch_scoring.mapping.mapping_file import DateColumn
from schemas.patients.patient import EARLIEST_DAY, find_day_fault

_SPANISH_HALF_DAY = re.compile(r"\b([ap])\.\s?m\.", re.IGNORECASE)
_TIME_ZONE = re.compile(r"\s*(?:GMT|UTC|Z)(?:[+-]\d{1,2}(?::?\d{2})?)?$")


def parse_day(cell: str, column: DateColumn) -> tuple[str | None, str | None]:
    """Return the day as YYYY-MM-DD, without its time zone, and what was expected if it is none.

    Both are None if the cell is empty or means: unknown.
    """
    text = _SPANISH_HALF_DAY.sub(r"\1m", _TIME_ZONE.sub("", cell.strip()))
    if not text:
        return None, None
    for day_format in column.formats:
        with suppress(ValueError):
            day = datetime.strptime(text, day_format).date()  # noqa: DTZ007 - a day
            if day in column.unknown:
                return None, None
            if find_day_fault(day):
                return None, f"must be a date from {EARLIEST_DAY} to today"
            return day.isoformat(), None
    return None, f"must be a date in the format {' or '.join(column.formats)}"
