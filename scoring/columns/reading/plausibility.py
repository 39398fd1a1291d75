"""Finds rows whose answers cannot be true of one person; such rows are reported, not refused."""

from datetime import date
from functools import reduce
from operator import or_
from typing import Any

import polars as pl

from schemas.batches.batch import ANSWERED_ON
from schemas.patients.patient import EARLIEST_DAY
from scoring.columns.output_columns import read_column_settings
from scoring.compiled_rulebook import LoadedRulebook


def list_implausible_rows(intakes: pl.DataFrame, loaded: LoadedRulebook) -> pl.Series:
    """Return the rows, from 0, in which the pain is older than the person or lasts 999 months."""
    settings: dict[str, Any] = read_column_settings(loaded).get("plausibility", {})
    age, duration = settings.get("age_years"), settings.get("duration_months")
    if age not in intakes.columns or duration not in intakes.columns:
        return pl.Series([], dtype=pl.UInt32)
    months = pl.col(duration)
    is_code = [months == code for code in settings.get("implausible_months", ())]
    is_older = months > (pl.col(age) + 1) * 12
    is_implausible = intakes.select(reduce(or_, is_code, is_older).fill_null(value=False))
    return is_implausible.to_series().arg_true()


def list_implausible_dates(rows: pl.DataFrame, today: date) -> pl.Series:
    """Return the rows, from 0, whose day of the answers is after today or long past."""
    days = parse_days(rows)
    return ((days > today) | (days < EARLIEST_DAY)).fill_null(value=False).arg_true()


def parse_days(rows: pl.DataFrame) -> pl.Series:
    """Return the day of the answers of each row; null where it has none, or no day."""
    if ANSWERED_ON not in rows.columns:
        return pl.Series(ANSWERED_ON, [None] * rows.height, pl.Date)
    return rows[ANSWERED_ON].cast(pl.String).str.to_date("%Y-%m-%d", strict=False)
