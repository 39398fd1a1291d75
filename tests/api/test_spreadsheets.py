"""Text in CSV: nothing in it is a formula, however it is cut, and each way out is the same."""

import csv
import io
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.batch_scoring.output.encoders import encode_csv
from api.spreadsheets import encode_rows, escape_formula

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫\N{MINUS SIGN}"  # noqa: RUF001 - spreadsheets read the wide forms too
BLANKS = ' \xa0\u3000\u2003\u200b\u2060\ufeff\xad"\x1f'
SEPARATORS = ",;|\t\r\n\x0b\x1c\x85\u2028"
NEAR_FORMULAS = st.text(st.sampled_from(f"{SIGNS}{BLANKS}{SEPARATORS}1.a'"), max_size=8)
API = Path(__file__).parents[2] / "api"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t1+1", " =1", "\xa0=1", "\u200b=1",
     "-1.5a", '"=1', *(f"{sign}A1" for sign in SIGNS)],
)  # fmt: skip
def test_a_formula_is_escaped(text):
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("A;=1+1", "A;'=1+1"), ("a,＝1", "a,'＝1"), ("a\t\xa0@x", "a\t'\xa0@x"), ("\r=1", "'\r'=1"),  # noqa: RUF001 - wide form
     ("-1;=2", "-1;'=2"), ("a\n-b", "a\n'-b")],
)  # fmt: skip
def test_a_formula_after_a_separator_is_escaped(text, escaped):
    assert escape_formula(text) == escaped


@pytest.mark.parametrize(
    "text", ["", "MRN-1", "-1.5", "-1,5", "+49", " -3 ", "1=1", "'=1", "a;-1.5", "a; b", "a-b;c+d"]
)
def test_a_number_or_plain_text_stays(text):
    assert escape_formula(text) == text


@given(NEAR_FORMULAS)
@example("\x1c=1")
@example("-1\n")
@example('x,"=1')
def test_every_way_out_is_the_same_and_no_piece_of_a_line_is_a_formula(text):
    batch = encode_csv(pl.DataFrame({"a": [text], "b": ["b"]}), header=False)
    rows = encode_rows([[text, "b"]])
    for file in (batch, rows):
        cells = list(csv.reader(io.StringIO(file.decode(), newline="")))
        assert cells == [[escape_formula(text), "b"]]
        for piece in re.split(f"[{SEPARATORS}]", file.decode()):
            is_number = re.fullmatch(r'["\s]*[+-]?[0-9]+([.,][0-9]+)?["\s]*', piece)
            assert is_number or piece.strip(BLANKS)[:1] not in tuple(SIGNS), ascii(piece)


def test_every_file_of_cells_is_written_here_or_by_the_writer_of_batches():
    writing = re.compile(r"csv\.(writer|DictWriter)|write_csv|sink_csv")
    modules = {
        str(file.relative_to(API))
        for file in API.rglob("*.py")
        if writing.search(file.read_text(encoding="utf-8"))
    }
    assert modules == {"spreadsheets.py", "batch_scoring/output/encoders.py"}
