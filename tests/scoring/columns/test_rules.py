"""Columns and engine agree on rulebooks that are unlike the shipped ones."""

import polars as pl
import pytest
from support.scoring.engine_rows import assessed_row, frame_of
from support.scoring.small_rulebook import SMALL
from support.scoring.small_second_rulebook import read_second_table

from schemas.rulebooks.rulebook import Rulebook
from scoring.columns import compile_column_rules
from scoring.compiled_rulebook import LoadedRulebook

ADULT = {"age": 44, "storms": (), "indoors": False}
INTAKES = [
    {},
    ADULT,
    ADULT | {"fog": True},
    ADULT | {"fog": True, "frost": True, "shelter": "roof"},
    ADULT | {"fog": True, "frost": False, "rain": False, "shelter": "none", "winds": ("south",)},
    ADULT | {"fog": False, "frost": True, "rain": True, "drizzle": False, "first_scale": 7},
    ADULT | {"fog": False, "frost": True, "rain": False, "shelter": "cave", "winds": ("north",)},
    {"fog": True, "storms": ("gale",)},
]


@pytest.fixture
def book() -> dict:
    return read_second_table()


def load(book: dict) -> LoadedRulebook:
    return LoadedRulebook(Rulebook.model_validate(book), "0" * 64)


def block(book: dict, kind: str, name: str) -> dict:
    return next(table for table in book[kind] if table["id"] == name)


def score(loaded: LoadedRulebook, frame: pl.DataFrame) -> list[dict]:
    rules = compile_column_rules(loaded)
    return rules.assess_intakes(frame.lazy(), explain=True).collect().to_dicts()


def assert_agreement(loaded: LoadedRulebook) -> list[dict]:
    rows = score(loaded, frame_of(loaded, INTAKES))
    assert rows == [assessed_row(loaded, intake) for intake in INTAKES]
    return rows


@pytest.mark.parametrize("points", [400, 40_000])
def test_points_too_large_for_two_bytes_and_ranks_too_large_for_three_agree(book, points):
    block(book, "criterion", "W2")["level"][0]["points"] = points
    block(book, "criterion", "W3")["level"][1]["points"] = -points
    block(book, "domain", "sky").update(floor=-points, ceiling=points)
    rows = assert_agreement(load(book))
    assert rows[2]["W2"] == points


def test_a_ledger_and_its_pictures_agree_at_an_edge_and_below_a_hundredth(book):
    half = {"total": "sum", "factor": 0.5}
    third = {"domain": "sky", "factor": 0.33, "when": {"question": "rain", "is": False}}
    part = [half, third | {"only_negative": True}]
    book["ledger"] = [
        {"id": "half", "label": "Half", "part": [half]},
        {"id": "parts", "label": "Parts", "part": part},
        {"id": "thirds", "label": "Thirds", "part": [half | {"factor": 0.66}]},
    ]
    words = {"label": "A picture", "meaning": "Made up."}
    book["picture"] = [
        {"id": "low", "below": {"half": 1}} | words,
        {"id": "equal", "below": {"half": 1.01}} | words,
        {"id": "other"} | words,
    ]
    block(book, "criterion", "W3")["level"][0]["points"] = 3.01
    intakes = [
        ADULT | {"fog": True, "frost": frost, "shelter": shelter, "rain": False, **scales}
        for frost in (True, False)
        for shelter in ("roof", "cave", "none")
        for scales in ({}, {"first_scale": 7})
    ]
    intakes += [intake | {"fog": False} for intake in intakes]
    loaded = load(book)
    rows = score(loaded, frame_of(loaded, intakes))
    assert rows == [assessed_row(loaded, intake) for intake in intakes]
    assert {row["sum"]: row["thirds"] for row in rows}[2.0] == 1.32
    assert {round(row["sum"] * 0.66 - row["thirds"], 4) > 0.005 for row in rows} == {True, False}
    pictures = {row["half"]: row["picture"] for row in rows}
    assert pictures[1.0] == "equal"
    assert pictures[1.5] == "other"
    assert pictures[0.0] == "low"


def test_numbers_stand_in_sentences_as_the_engine_writes_them(book):
    finding = "Fog at {age} years, {months} months, begun at {onset_age}; gusts: {gusts}"
    block(book, "criterion", "W2")["level"][0]["finding"] = finding
    intakes = [
        ADULT | {"fog": True, "months": months, "gusts": gusts}
        for months in (0, 0.05, 1.5, 12, 528.01, 1200)
        for gusts in ((), ("short",), ("short", "long"))
    ]
    loaded = load(book)
    rows = score(loaded, frame_of(loaded, intakes))
    assert rows == [assessed_row(loaded, intake) for intake in intakes]
    assert "44 years, 1.5 months, begun at 43" in rows[6]["because_W2"]
    assert "begun at -56" in rows[-1]["because_W2"]


def test_a_scale_may_have_a_single_band(book):
    book["band"], book["acceptable_range"] = book["band"][:1], book["acceptable_range"][:1]
    rows = assert_agreement(load(book))
    assert rows[3]["band"] == "away"


def test_a_rulebook_without_a_banded_total_has_no_columns_of_a_range():
    columns = compile_column_rules(load(read_second_table(SMALL))).columns
    assert "sum" in columns
    assert {"least", "most", "band"}.isdisjoint(columns)


@pytest.mark.parametrize("kind", [pl.Int64, pl.Float64])
def test_a_decimal_answer_may_stand_in_a_column_of_whole_numbers(book, kind):
    frame = pl.DataFrame({"age": [44, 44], "months": pl.Series([528, 529], dtype=kind)})
    rows = score(load(book), frame)
    assert [row["contradictions"] for row in rows] == [[], ["older_than_life"]]


def test_a_row_with_an_empty_list_of_problems_has_a_status(book):
    frame = pl.DataFrame({"fog": [True] * 3, "problems": [[], None, ["no"]]})
    statuses = [row["status"] for row in score(load(book), frame)]
    assert statuses == ["insufficient_information", "insufficient_information", None]
