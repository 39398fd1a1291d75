"""The two interpreters agree: whatever is answered, columns say what the engine says."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sample import IS_SAMPLE
from support.scoring.answer_strategies import complete, partial_answers, unflagged_answers
from support.scoring.engine_rows import assessed_row, frame_of, random_intake, weighed_row
from support.scoring.second_rulebook import FIRST_RULEBOOKS, SECOND_RULEBOOKS, load_second
from support.scoring.small_rulebook import SMALL

from scoring.catalogue import read_rulebook
from scoring.columns import compile_column_rules
from scoring.compiled_rulebook import LoadedRulebook

NOCIPLASTIC = FIRST_RULEBOOKS[0]
every_rulebook = pytest.mark.parametrize(
    "loaded", [*FIRST_RULEBOOKS, *SECOND_RULEBOOKS], ids=lambda it: it.name
)
every_long_rulebook = pytest.mark.parametrize(
    "loaded", [NOCIPLASTIC, load_second()], ids=lambda it: it.name
)
SHARES = 8
FRAME = 16
few_long_frames = settings(max_examples=max(2, settings().max_examples // 12))
"""Planning the expressions of a frame takes longer than scoring its rows."""

RANDOM_INTAKES = {"deep": 100_000, "mutation": 160}.get(
    os.environ.get("HYPOTHESIS_PROFILE"), 1_000 if IS_SAMPLE else 4_000
)


def explained(loaded: LoadedRulebook, intakes: list) -> list[dict]:
    frame = frame_of(loaded, intakes).lazy()
    return compile_column_rules(loaded).assess_intakes(frame, explain=True).collect().to_dicts()


@every_rulebook
@few_long_frames
@given(data=st.data())
def test_columns_say_what_the_engine_says_of_any_answers(loaded, data):
    some = st.lists(partial_answers(loaded), min_size=1, max_size=FRAME)
    intakes = [*data.draw(some), data.draw(complete(loaded, {}))]
    assert explained(loaded, intakes) == [assessed_row(loaded, intake) for intake in intakes]


@every_rulebook
@few_long_frames
@given(data=st.data())
def test_columns_say_what_the_engine_says_where_points_are_given(loaded, data):
    intakes = data.draw(st.lists(unflagged_answers(loaded), min_size=1, max_size=FRAME))
    assert explained(loaded, intakes) == [assessed_row(loaded, intake) for intake in intakes]


@every_long_rulebook
@given(data=st.data())
def test_the_quick_oracle_says_what_the_assessment_says(loaded, data):
    intakes = data.draw(st.lists(unflagged_answers(loaded), min_size=1, max_size=4))
    rows_without_sentences = [
        {
            name: value
            for name, value in assessed_row(loaded, answers).items()
            if not name.startswith("because_")
        }
        for answers in intakes
    ]
    assert [weighed_row(loaded, answers) for answers in intakes] == rows_without_sentences


@few_long_frames
@given(st.data())
def test_the_order_in_which_options_were_marked_changes_nothing(data):
    answers = data.draw(unflagged_answers(NOCIPLASTIC))
    mixed = {
        name: tuple(data.draw(st.permutations(answer))) if isinstance(answer, tuple) else answer
        for name, answer in answers.items()
    }
    assert explained(NOCIPLASTIC, [mixed]) == explained(NOCIPLASTIC, [answers])


@few_long_frames
@given(st.lists(unflagged_answers(NOCIPLASTIC), min_size=2, max_size=5))
def test_a_row_is_the_same_in_any_company(intakes):
    together = explained(NOCIPLASTIC, intakes)
    assert together == [explained(NOCIPLASTIC, [intake])[0] for intake in intakes]


@pytest.mark.parametrize(
    ("name", "count"),
    [(name, RANDOM_INTAKES) for name in ("nociplastic@1.0.0", "nociplastic@2.0.0")],
)
def test_as_many_random_intakes_agree(name, count):
    share_count = SHARES if count > 1_000 else 1
    shares = [(name, seed, count // share_count) for seed in range(share_count)]
    if share_count == 1:
        reports = list(map(find_differences, shares))
    else:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            reports = list(pool.map(find_differences, shares))
    statuses = {
        status: sum(report[1].get(status, 0) for report in reports) for status in reports[0][1]
    }
    assert [difference for report in reports for difference in report[0]] == []
    assert sum(statuses.values()) == count
    assert len(statuses) == 4
    assert min(statuses.values()) > count / 20, statuses


def find_differences(share: tuple[str, int, int]) -> tuple[list, dict[str, int]]:
    """Return what columns and engine say differently in a share; how many have each status."""
    name, seed, count = share
    loaded = load_second() if name == load_second().name else NOCIPLASTIC
    random = Random(seed)
    intakes = [random_intake(loaded, random) for _ in range(count)]
    frame = frame_of(loaded, intakes).lazy()
    results = compile_column_rules(loaded).assess_intakes(frame).collect(engine="streaming")
    differences = []
    for answers, row in zip(intakes, results.iter_rows(named=True), strict=True):
        engine_row = weighed_row(loaded, answers)
        if row != engine_row and len(differences) < 5:
            differences.append({n: (row[n], engine_row[n]) for n in row if row[n] != engine_row[n]})
    return differences, dict(results["status"].cast(pl.String).value_counts().iter_rows())


def test_a_question_without_a_column_is_not_answered():
    row = (
        compile_column_rules(NOCIPLASTIC)
        .assess_intakes(pl.LazyFrame({"fatigue": [True]}))
        .collect()
        .to_dicts()[0]
    )
    assert row == weighed_row(NOCIPLASTIC, {"fatigue": True})


def test_a_row_with_problems_has_no_status_and_no_results():
    frame = pl.LazyFrame({"row_id": ["7"], "fatigue": [True], "problems": [["fatigue: no"]]})
    row = (
        compile_column_rules(NOCIPLASTIC)
        .assess_intakes(frame, explain=True)
        .collect()
        .to_dicts()[0]
    )
    answers_given = {name: value for name, value in row.items() if value is not None}
    assert set(answers_given) == {"row_id", "rulebook", "rulebook_sha256", "problems"}


def test_the_columns_are_those_of_the_contract_in_their_order():
    domains = [f"domain_{domain.id}" for domain in NOCIPLASTIC.rulebook.domain]
    criteria = [criterion.id for criterion in NOCIPLASTIC.rulebook.criterion]
    head = (
        "row_id, patient_reference, rulebook, rulebook_sha256, status, tier, flags, predominance, "
        "least, most, band, contribution, picture, nociplastic, nociceptive, neuropathic, "
        "iasp_2021, acr_2016, missing"
    )
    assert list(compile_column_rules(NOCIPLASTIC).columns) == [
        *head.split(", "),
        *domains,
        *criteria,
        *("all_asked", "not_asked", "scope_reasons", "scope_unanswered"),
        "problems",
    ]


def test_points_are_float64_and_lists_are_lists():
    schema = (
        compile_column_rules(NOCIPLASTIC)
        .assess_intakes(pl.LazyFrame({"fatigue": [True]}))
        .collect_schema()
    )
    assert {schema[name] for name in ("predominance", "least", "A1", "domain_onset")} == {
        pl.Float64
    }
    assert all(isinstance(schema[name], pl.List) for name in ("flags", "missing", "problems"))


def test_two_columns_of_one_name_are_refused(tmp_path):
    file = tmp_path / "weather.toml"
    file.write_text(SMALL.replace('id = "W1"', 'id = "status"'), encoding="utf-8")
    with pytest.raises(ValueError, match="two columns are called status"):
        compile_column_rules(read_rulebook(file))


def test_the_second_generation_has_columns_of_its_own():
    names = list(compile_column_rules(load_second()).columns)
    first_names = compile_column_rules(NOCIPLASTIC).columns
    start, end = names.index("predominance"), names.index("domain_distribution")
    assert names[start:end] == [
        *("predominance", "least", "most", "band", "band_least", "band_most", "contribution"),
        *("picture", "nociplastic", "nociceptive", "neuropathic", "iasp_2021", "acr_2016"),
        *("alternatives", "contradictions", "missing", "ask_first"),
    ]
    assert set(names) - set(first_names) == {
        *("band_least", "band_most", "alternatives", "contradictions", "ask_first"),
        "why_no_band",
    }
