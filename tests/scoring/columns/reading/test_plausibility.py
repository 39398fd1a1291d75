"""Rows that cannot be true of one person are found, from the first row over the line."""

from datetime import date

import polars as pl
import pytest
from support.scoring.second_rulebook import load_second
from support.scoring.small_second_rulebook import load_small_second

from scoring.columns.reading.plausibility import (
    list_implausible_dates,
    list_implausible_rows,
    parse_days,
)

INTAKES = pl.DataFrame(
    {
        "age_years": [44, 44, 0, 0, 90, 90, 90, None, 44],
        "pain_duration_months": [540.0, 540.01, 12.0, 13.0, 998.0, 999.0, 1000.0, 1200.0, None],
    }
)


def test_pain_is_implausible_if_older_than_the_person_or_of_999_months():
    assert list_implausible_rows(INTAKES, load_second()).to_list() == [1, 3, 5]


@pytest.mark.parametrize("name", INTAKES.columns)
def test_no_row_is_implausible_without_age_or_duration(name):
    rows = list_implausible_rows(INTAKES.drop(name), load_second())
    assert (rows.to_list(), rows.dtype) == ([], pl.UInt32)


def test_no_row_is_implausible_where_the_instrument_names_no_such_questions():
    assert list_implausible_rows(INTAKES, load_small_second()).to_list() == []


def test_a_day_is_implausible_after_today_and_before_1900():
    days = ["1899-12-31", "1900-01-01", "2026-05-04", "2026-05-05", "", None, "2026-13-01"]
    rows = pl.DataFrame({"answered_on": days})
    assert list_implausible_dates(rows, date(2026, 5, 4)).to_list() == [0, 3]


def test_days_are_read_as_text_or_dates_and_are_null_where_there_are_none():
    day = date(2026, 5, 4)
    cells = pl.DataFrame({"answered_on": ["2026-05-04", "04.05.2026", None]})
    assert parse_days(cells).to_list() == [day, None, None]
    assert parse_days(pl.DataFrame({"answered_on": [day]})).to_list() == [day]
    days = parse_days(pl.DataFrame({"row_id": ["a", "b"]}))
    assert (days.name, days.dtype, days.to_list()) == ("answered_on", pl.Date, [None, None])
