"""Change over time is counted by person, with small counts withheld, in every language."""

import json
import re
from html import escape, unescape
from pathlib import Path

import polars as pl
import pytest
from support.batch_files import complete_batch
from typer.testing import CliRunner

from api.batch_scoring.cohort.cohort_texts import list_cohort_languages, load_cohort_texts
from api.batch_scoring.cohort.small_counts import withhold_nested_counts
from api.batch_scoring.cohort.visits import find_change_rule
from api.cli import main
from api.desk.screenings.patient_page import load_measures
from reports.phrases import list_languages
from scoring.catalogue import load_catalogue

LOADED = load_catalogue().find_active("nociplastic")
PEG = ("peg_pain", "peg_enjoyment", "peg_activity")
HEADER = "row_id,patient_reference,answered_on,age_years,pain_duration_months,rf_general"
IMPROVED, UNCHANGED, WORSENED, FROM_ZERO = ((6, 4), (6, 5), (4, 6), (0, 3))
"""PEG items at the first and last visit; 6 to 4 is a fall of a third."""


def write_visits(folder: Path, people: list[tuple[tuple[int, ...], str]], *more: str) -> Path:
    """Write a visit for each score of each person, the last visit first; T0 if flagged at last."""
    lines = []
    for number, (scores, flag) in enumerate(people):
        for visit, score in reversed([*enumerate(scores)]):
            cells = [f"r{number}-{visit}", f"P-{number}", f"2025-0{visit + 1}-01", "44", "60"]
            cells.append(flag if visit == len(scores) - 1 else "none")
            lines.append(",".join([*cells, *[str(score)] * 3]))
    file = folder / "visits.csv"
    text = "\n".join([f"{HEADER},{','.join(PEG)}", *lines, *more])
    file.write_text(f"{text}\n", encoding="utf-8")
    return file


def count_cohort(source: Path, *words: str) -> dict:
    out = source.parent
    command = ["batch", source, "-o", out / "out.parquet", "--report", out / "cohort.html",
               "--summary-json", out / "s.json", *words]  # fmt: skip
    outcome = CliRunner().invoke(main, [*map(str, command)])
    assert outcome.exit_code in {0, 1}, outcome.output
    return json.loads((out / "s.json").read_text(encoding="utf-8"))["cohort"]


def list_changes(cohort: dict) -> dict[str, int | None]:
    return {count["id"]: count["rows"] for count in cohort["visits"]["change"]["counts"]}


def test_people_are_compared_from_their_first_day_to_their_last(tmp_path):
    people = [(IMPROVED, "none")] * 7 + [(UNCHANGED, "none")] * 6 + [(WORSENED, "none")] * 5
    cohort = count_cohort(write_visits(tmp_path, [*people, *[(FROM_ZERO, "none")] * 5]))
    visits = cohort["visits"]
    assert (visits["people"], visits["people_with_visits"], visits["people_without_dates"]) == (
        23, 23, 0,
    )  # fmt: skip
    assert list_changes(cohort) == {
        "improved": 7, "unchanged": 6, "worsened": 5, "first_score_zero": 5,
    }  # fmt: skip
    change = visits["change"]
    assert (change["people"], change["percent"], change["median_change"]) == (23, 30, -1.0)
    assert [(it["visit"], it["people"], it["median"]) for it in change["visits"]] == [
        (1, 23, 6.0),
        (2, 23, 4.0),
    ]


@pytest.mark.parametrize(
    ("scores", "kind"),
    [((10, 7), "improved"), ((9, 7), "unchanged"), ((10, 13), "unchanged"), ((7, 10), "worsened")],
)
def test_the_threshold_counts_on_the_line(tmp_path, scores, kind):
    scores = tuple(min(score, 10) for score in scores)
    changes = list_changes(count_cohort(write_visits(tmp_path, [(scores, "none")] * 5)))
    assert [name for name, people in changes.items() if people] == [kind]


def test_small_groups_are_withheld_with_those_that_would_reveal_them(tmp_path):
    people = [(IMPROVED, "none")] * 9 + [(UNCHANGED, "none")] * 6 + [(WORSENED, "none")] * 2
    changes = list_changes(count_cohort(write_visits(tmp_path, people)))
    assert changes == {
        "improved": 9, "unchanged": None, "worsened": None, "first_score_zero": 0,
    }  # fmt: skip


def test_a_visit_that_few_people_have_is_withheld(tmp_path):
    people = [((6, 5, 4), "none")] * 8 + [((6, 5), "none")] * 3
    visits = count_cohort(write_visits(tmp_path, people))["visits"]["change"]["visits"]
    assert [(it["people"], it["median"]) for it in visits] == [
        (11, 6.0),
        (11, 5.0),
        (None, None),
    ]


def test_with_few_people_nothing_is_shown_of_how_they_changed(tmp_path):
    cohort = count_cohort(write_visits(tmp_path, [(IMPROVED, "none")] * 4))
    assert cohort["visits"] == {
        "people": 4, "people_with_visits": None, "people_without_dates": None,
        "change": None, "transitions": [],
    }  # fmt: skip


def test_tiers_and_bands_are_counted_from_the_first_visit_to_the_last(tmp_path):
    urgent = LOADED.questions["rf_general"].options[0].id
    people = [(IMPROVED, "none")] * 6 + [(IMPROVED, urgent)] * 5
    tables = count_cohort(write_visits(tmp_path, people))["visits"]["transitions"]
    assert tables[0]["title"] == "Most urgent red flag at the last visit"
    results = pl.read_parquet(tmp_path / "out.parquet")
    tier = results.filter(pl.col("flags").list.len() > 0)["tier"][0]
    (row,) = tables[0]["rows"]
    assert (row["value"], {it["id"]: it["rows"] for it in row["counts"]}) == (
        "not all asked",
        {tier: 5, "not_all_asked": 6},
    )


def test_a_row_sent_twice_is_one_visit_and_rows_without_a_day_are_in_the_order_of_the_file(
    tmp_path,
):
    again = [f"r{n}-0,P-{n},2025-01-01,44,60,none,6,6,6" for n in range(5)]
    cohort = count_cohort(write_visits(tmp_path, [((6,), "none")] * 5, *again))
    assert cohort["visits"] is None
    undated = [f"x{n}{v},Q-{n},,44,60,none,{v},{v},{v}" for v in (8, 2) for n in range(6)]
    cohort = count_cohort(write_visits(tmp_path, [], *undated))
    assert list_changes(cohort)["improved"] == 6
    assert cohort["visits"]["people_without_dates"] == 6


def test_a_person_without_a_score_is_not_compared_and_a_faulty_row_is_no_visit(tmp_path):
    lines = [f"a{n},P-{n},2025-0{v},44,60,none,{s},{s},{s}"
             for n in range(6) for v, s in (("1-01", 6), ("2-01", "x"), ("3-01", 3))]  # fmt: skip
    lines += [f"b{n}{v},Q-{n},2025-0{v}-01,44,60,none,,6,6" for n in range(7) for v in (1, 2)]
    cohort = count_cohort(write_visits(tmp_path, [], *lines))
    assert cohort["visits"]["people_with_visits"] == 13
    assert (cohort["visits"]["change"]["people"], list_changes(cohort)["improved"]) == (6, 6)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([20, 10, 5], [20, 10, 5]),
        ([20, 16, 10], [20, None, 10]),
        ([20, 15, 4, 0], [20, 15, None, 0]),
        ([20, 20, 17, 16], [20, 20, None, None]),
        ([4, 4], [None, None]),
    ],
)
def test_no_small_group_follows_from_the_sizes_of_nested_ones(sizes, expected):
    assert withhold_nested_counts(sizes) == expected


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_the_page_is_in_one_language_and_each_chart_has_words(tmp_path, language):
    people = [(IMPROVED, "none")] * 9 + [(UNCHANGED, "none")] * 6 + [(WORSENED, "none")] * 2
    cohort = count_cohort(write_visits(tmp_path, people), "--locale", language)
    page = (tmp_path / "cohort.html").read_text(encoding="utf-8")
    texts = load_cohort_texts(language)
    assert f'<html lang="{language}">' in page
    assert f"<h2>{texts.say('visits')}</h2>" in page
    assert cohort["visits"]["change"]["note"] in unescape(page)
    charts = re.findall(r'<svg role="img" aria-labelledby="([^"]+)"', page)
    assert {"chart-change", "chart-scores"} <= {*charts}
    described = re.findall(r'<title id="([^"]+)">[^<]+</title>', page)
    assert described == charts
    assert f": {texts.say('withheld')}" in page
    titles = {table["id"]: table["title"] for table in cohort["tables"]}
    own_titles = {name: title for name, title in titles.items() if name in texts.titles}
    assert len(own_titles) > 5
    assert own_titles.items() <= texts.titles.items()
    assert [title for title in titles.values() if f"<h2>{escape(title)}</h2>" not in page] == []


def test_the_texts_of_all_languages_are_complete_and_fill_the_same_places():
    english = load_cohort_texts("en")
    assert list_cohort_languages() == list_languages()
    for texts in map(load_cohort_texts, list_cohort_languages()):
        assert [*texts.titles] == [*english.titles]
        assert {name: [*words] for name, words in texts.labels.items()} == {
            name: [*words] for name, words in english.labels.items()
        }
        places = [
            {name: sorted(re.findall(r"{\w+}", text)) for name, text in it.words.items()}
            for it in (texts, english)
        ]
        assert places[0] == places[1]
        assert texts.language in find_change_rule(LOADED).note


def test_the_threshold_is_that_of_the_patient_page():
    measure = next(it for it in load_measures() if it.id == "peg")
    rule = find_change_rule(LOADED)
    assert (rule.percent, rule.questions) == (
        measure.meaningful_fall_percent,
        measure.exact_answers,
    )


def test_an_unknown_language_is_refused(tmp_path):
    source = write_visits(tmp_path, [])
    words = ["batch", str(source), "-o", str(tmp_path / "o.csv"), "--language", "fr"]
    refusal = CliRunner().invoke(main, words)
    assert (refusal.exit_code, "expected one of en, de, es" in refusal.stderr) == (2, True)


def test_the_summary_over_http_has_the_same_visits_and_language(tmp_path, kept_client):
    source = write_visits(tmp_path, [(IMPROVED, "none")] * 9 + [(WORSENED, "none")] * 6)
    cohort = count_cohort(source, "--locale", "de")
    batch = complete_batch(kept_client, source.read_text(encoding="utf-8"))
    path = batch["links"]["summary"]
    answer = kept_client.get(f"{path}?locale=de-AT")
    assert (answer.json(), answer.headers["content-language"]) == (cohort, "de")
    page = kept_client.get(path, headers={"Accept": "text/html", "Accept-Language": "es, en;q=0.5"})
    assert '<html lang="es">' in page.text
    assert kept_client.get(f"{path}?locale=fr").status_code == 422
    plain = kept_client.get(path)
    assert plain.json()["language"] == "en"
