"""Text in CSV: no cell is a formula, and Python and Polars agree which text is one."""

import csv
import io

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.batch_scoring.writers import encode_csv
from api.spreadsheets import escape_formula

NEAR_FORMULAS = st.text(st.sampled_from("=+-@＝＋－＠ \t\r\n\x0b\x1c\u2003\xa01.,a"), max_size=6)  # noqa: RUF001 - wide forms


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t1+1", "\r=1", " =1", "＝1", "-1.5a"],  # noqa: RUF001 - wide form
)
def test_a_formula_is_escaped(text):
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "MRN-1", "-1.5", "+49", " -3 ", "1=1", "'=1"])
def test_a_number_or_plain_text_stays(text):
    assert escape_formula(text) == text


@given(NEAR_FORMULAS)
@example("\x1c=1")
@example("-1\n")
def test_a_batch_file_has_the_same_rule(text):
    file = encode_csv(pl.DataFrame({"a": [text]}), header=False)
    cells = list(csv.reader(io.StringIO(file.decode(), newline="")))
    assert cells == [[escape_formula(text)]]
