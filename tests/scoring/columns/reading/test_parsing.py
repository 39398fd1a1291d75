"""Answers in files are read as the answer model reads them, and a fault never tells what stood."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from support.scoring.answer_strategies import partial_answers
from support.scoring.engine_rows import frame_of
from support.scoring.second_rulebook import load_second

from scoring.answer_model import find_answer_model
from scoring.catalogue import load_catalogue
from scoring.columns import compile_column_rules
from scoring.columns.reading.parsing import parse_intakes

LOADED = load_catalogue().find_version("nociplastic@1.0.0")


def read_text(question: str, cell: str | None):
    """The answer as JSON would have it, or 'fault'."""
    return _read(pl.DataFrame({question: [cell]}, schema={question: pl.String}), question)


def read_typed(question: str, value: object, kind: object = None):
    return _read(pl.DataFrame({question: [value]}, schema={question: kind}), question)


def _read(frame: pl.DataFrame, question: str):
    read = parse_intakes(frame, LOADED)
    if read.faults.height:
        assert read.faults["column"].to_list() == [question]
        assert read.intakes["problems"][0].len() == 1
        return "fault"
    answer = read.intakes[question][0]
    options = [option.id for option in LOADED.questions[question].options]
    if LOADED.questions[question].kind == "multi" and answer is not None:
        return [option for place, option in enumerate(options) if answer >> place & 1]
    return answer


@pytest.mark.parametrize(
    ("question", "cell", "answer"),
    [
        *(("fatigue", cell, True) for cell in ("true", "TRUE", "Yes", "1", " yes ")),
        *(("fatigue", cell, False) for cell in ("false", "No", "0", "nO")),
        *(("fatigue", cell, "fault") for cell in ("2", "y", "on", "-", "truee")),
        ("age_years", "44", 44),
        ("age_years", " 44 ", 44),
        ("age_years", "44.0", 44),
        ("age_years", "44,00", 44),
        ("age_years", "+44", 44),
        *(("age_years", cell, "fault") for cell in ("44.5", "121", "-1", "4e1", "0x10", "NaN")),
        ("pain_duration_months", "3", 3),
        ("pain_duration_months", "1,5", 1.5),
        ("pain_duration_months", "0.29", 0.29),
        ("pain_duration_months", "1200", 1200),
        *(
            ("pain_duration_months", cell, "fault")
            for cell in ("1200.01", "1.255", "1.200", "-0.5", "inf", "1e2", "1.5.1")
        ),
        ("pain_extent", "spot", "spot"),
        ("pain_extent", "SPOT", "spot"),
        ("onset_injury", "none", "none"),
        ("pain_sites", "none", []),
        ("pain_sites", "None", []),
        ("pain_sites", "neck", ["neck"]),
        ("pain_sites", "face|neck", ["neck", "face"]),
        ("pain_sites", " face | neck ", ["neck", "face"]),
        *(
            ("pain_sites", cell, "fault")
            for cell in ("neck|neck", "neck|", "|", "none|neck", "none|none", "nec", "neck,face")
        ),
        *((name, "", None) for name in ("fatigue", "age_years", "pain_extent", "pain_sites")),
        *((name, None, None) for name in ("fatigue", "age_years", "pain_extent", "pain_sites")),
    ],
)
def test_a_cell_is_read_or_refused(question, cell, answer):
    assert read_text(question, cell) == answer


@pytest.mark.parametrize(
    ("question", "value", "kind", "answer"),
    [
        ("fatigue", 1, pl.Int64, True),
        ("fatigue", 2, pl.Int64, "fault"),
        ("age_years", 44.0, pl.Float64, 44),
        ("age_years", 44.5, pl.Float64, "fault"),
        ("age_years", float("nan"), pl.Float64, "fault"),
        ("age_years", True, pl.Boolean, "fault"),
        ("age_years", 2**40, pl.Int64, "fault"),
        ("pain_duration_months", float("inf"), pl.Float64, "fault"),
        ("pain_duration_months", 0.29, pl.Float64, 0.29),
        ("pain_duration_months", 0.299, pl.Float64, "fault"),
        ("pain_duration_months", Decimal("1.50"), pl.Decimal(10, 2), 1.5),
        ("pain_extent", "spot", pl.Categorical, "spot"),
        ("pain_sites", ["neck", "face"], pl.List(pl.String), ["neck", "face"]),
        ("pain_sites", [], pl.List(pl.String), []),
        ("pain_sites", [], pl.List(pl.Null), []),
        ("pain_sites", [None], pl.List(pl.String), "fault"),
        ("pain_sites", ["none"], pl.List(pl.String), "fault"),
        ("pain_sites", ["neck", "neck"], pl.List(pl.String), "fault"),
        ("pain_sites", 3, pl.Int64, "fault"),
        ("pain_sites", None, pl.Null, None),
    ],
)
def test_a_typed_answer_is_read_or_refused(question, value, kind, answer):
    assert read_typed(question, value, kind) == answer


@settings(max_examples=25)
@given(st.lists(partial_answers(LOADED), min_size=1, max_size=3))
def test_what_the_model_accepts_is_read_alike_as_text_and_typed(intakes):
    from_typed = parse_intakes(frame_of(LOADED, intakes), LOADED)
    cells = {name: [_cell(intake.get(name)) for intake in intakes] for name in LOADED.questions}
    from_text = parse_intakes(
        pl.DataFrame(cells, schema=dict.fromkeys(LOADED.questions, pl.String)), LOADED
    )
    assert from_typed.faults.is_empty()
    assert from_text.faults.is_empty()
    rules = compile_column_rules(LOADED)
    first, second, direct = (
        rules.assess_intakes(frame.lazy()).collect().to_dicts()
        for frame in (from_typed.intakes, from_text.intakes, frame_of(LOADED, intakes))
    )
    assert first == second == direct


@given(st.sampled_from(list(LOADED.questions)), st.integers(-5, 2000), st.booleans())
def test_numbers_are_refused_where_the_model_refuses_them(question, number, is_text):
    try:
        find_answer_model(LOADED).model_validate({question: number})
        accepted = True
    except ValidationError:
        accepted = False
    if LOADED.questions[question].kind == "boolean":
        accepted = number in (0, 1)
    read = read_text(question, str(number)) if is_text else read_typed(question, number, pl.Int64)
    assert (read != "fault") == accepted


def test_a_fault_tells_row_column_and_what_was_expected_and_never_the_answer():
    frame = pl.DataFrame({"row_id": ["a", "b"], "age_years": ["44", "SECRET"]})
    read = parse_intakes(frame, LOADED, lines=lambda rows: [row + 2 for row in rows])
    assert read.faults.rows() == [
        (1, 3, "age_years", "not_a_whole_number", "must be a whole number from 0 to 120")
    ]
    assert read.intakes["problems"].to_list() == [
        None,
        ["line 3: age_years: must be a whole number from 0 to 120"],
    ]


def test_a_day_of_the_answers_that_is_no_date_is_a_fault_and_none_is_no_fault():
    days = ["2026-02-28", "2026-02-29", "2026-2-3", "28.02.2026", "2024-02-29", "", None]
    frame = pl.DataFrame({"answered_on": days, "age_years": [44] * len(days)})
    read = parse_intakes(frame, LOADED, lines=lambda rows: [row + 2 for row in rows])
    fault = ("answered_on", "invalid_date", "must be a date as YYYY-MM-DD")
    assert read.faults.rows() == [(row, row + 2, *fault) for row in (1, 2, 3)]
    assert [problems is None for problems in read.intakes["problems"]] == [
        *(True, False, False, False),
        *(True, True, True),
    ]


def test_a_fault_of_a_text_says_what_a_text_may_be_and_of_a_value_what_a_value_may_be():
    as_text = parse_intakes(pl.DataFrame({"fatigue": ["maybe"]}), LOADED)
    as_value = parse_intakes(pl.DataFrame({"fatigue": [2]}), LOADED)
    assert as_text.intakes["problems"].to_list() == [
        ["fatigue: must be true, false, yes, no, 1 or 0"]
    ]
    assert as_value.intakes["problems"].to_list() == [["fatigue: must be true or false"]]


@pytest.mark.parametrize("column", ["row_id", "patient_reference"])
@pytest.mark.parametrize(
    "character",
    [*map(chr, range(9)), "\x0b", "\x0c", *map(chr, range(14, 32)), "\x7f", "\x85", "\x9f",
     "\u202a", "\u202e", "\u2066", "\u2069", "\ufdd0", "\ufdef", "\ufffe", "\uffff"],
    ids=ascii,
)  # fmt: skip
def test_a_text_that_json_refuses_is_a_fault_and_is_not_given_back(column, character):
    frame = pl.DataFrame({column: [f"x{character}y", "x y\tä", None], "age_years": ["44"] * 3})
    read = parse_intakes(frame, LOADED)
    assert read.faults.select("row", "column", "code").rows() == [
        (0, column, "forbidden_character")
    ]
    assert read.intakes[column].to_list() == [None, "x y\tä", None]
    assert [problems is None for problems in read.intakes["problems"]] == [False, True, True]
    assert character not in read.faults["expected"][0]


def _cell(answer: object) -> str | None:
    if isinstance(answer, tuple):
        return "|".join(answer) or "none"
    return (
        None if answer is None else str(answer).lower() if isinstance(answer, bool) else str(answer)
    )


@pytest.mark.parametrize(
    ("question", "cell", "answer"),
    [
        ("fatigue", "1.0", True),
        ("fatigue", " Ja ", True),
        ("fatigue", "S\u00cd", True),
        ("fatigue", "falsch", False),
        ("fatigue", "maybe", None),
        ("pain_extent", "An area", "area"),
        ("pain_sites", "Neck, Left Jaw", ["neck", "jaw_left"]),
        ("pain_sites", "Nacken; unterer R\u00fccken", ["neck", "lower_back"]),
        ("pain_sites", "neck\nlower_back", ["neck", "lower_back"]),
        ("pain_sites", "None of these", []),
        ("pain_sites", "none|neck", None),
        ("pain_sites", "neck, Neck", None),
        ("pain_sites", "neck, elbow", None),
    ],
)
def test_words_and_labels_of_every_language_answer_and_nothing_is_guessed(question, cell, answer):
    loaded = load_second()
    intakes = parse_intakes(pl.DataFrame({question: [cell, ""]}), loaded)
    expected = parse_intakes(pl.DataFrame({question: [_as_cell(answer), ""]}), loaded)
    assert intakes.intakes[question].to_list() == expected.intakes[question].to_list()
    assert intakes.faults.height == (answer is None)


def _as_cell(answer: object) -> str:
    if isinstance(answer, list):
        return "|".join(answer) or "none"
    return "" if answer is None else str(answer).lower()


def test_numbers_of_statistics_programs_are_yes_and_no():
    intakes = parse_intakes(pl.DataFrame({"fatigue": [1.0, 0.0, None, 0.5]}), load_second())
    assert intakes.intakes["fatigue"].to_list() == [True, False, None, None]
    assert intakes.faults["row"].to_list() == [3]
