"""Sentences: what was found, what it gives and why, in the rulebook's words."""

from decimal import Decimal

import pytest
from support.scoring.second_rulebook import FIRST_RULEBOOKS, SECOND_RULEBOOKS
from support.scoring.small_rulebook import SMALL

from scoring.catalogue import read_rulebook
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.explanation import (
    Explainer,
    SentenceStyle,
    format_points,
    lowercase_first_letter,
)


@pytest.fixture(scope="module")
def weather(tmp_path_factory):
    path = tmp_path_factory.mktemp("rulebook") / "weather.toml"
    path.write_text(SMALL, encoding="utf-8")
    return read_rulebook(path)


def because(loaded, answers):
    return assess(loaded, answers).criteria[0].because


@pytest.mark.parametrize(
    ("hundredths", "text"),
    [
        (0, "0"),
        (100, "+1"),
        (-100, "-1"),
        (150, "+1.5"),
        (-325, "-3.25"),
        (5, "+0.05"),
        (1000, "+10"),
    ],
)
def test_points_are_signed_and_without_trailing_zeros(hundredths, text):
    assert format_points(hundredths) == text


def test_an_answer_and_its_points_are_told(weather):
    answers = {"rain": True, "winds": ("north",)}
    assert because(weather, answers) == "Rain: yes, winds: the north wind: +4 points."


def test_one_point_is_singular(weather):
    assert because(weather, {"rain": False}) == "No rain: -1 point."


def test_nothing_marked_and_not_answered_are_different_words(weather):
    assert because(weather, {"rain": True, "winds": ()}).startswith("Rain: yes, winds: none of")
    assert because(weather, {"rain": True}).startswith("Rain: yes, winds: not answered")


@pytest.mark.parametrize("winds", [("south", "west"), ("west", "south")])
def test_a_discount_names_what_was_found_in_questionnaire_order(weather, winds):
    criterion = assess(weather, {"rain": True, "winds": ("north", *winds)}).criteria[0]
    assert criterion.discount.because == "it may be the south wind and the west wind"
    assert criterion.because == (
        "Rain: yes, winds: the north wind, the south wind and the west wind: +4 points, "
        "x0.25 = +1 point, because it may be the south wind and the west wind."
    )


def test_a_discount_that_takes_nothing_is_not_told(weather):
    assert "because" not in because(weather, {"rain": False, "winds": ("west",)})


def test_an_open_question_is_told_with_what_it_could_give(weather):
    assert because(weather, {}) == "Open (rain): -1 to +4."
    assert because(weather, {"winds": ("west",)}) == "Open (rain): -1 to +1."


def test_an_abbreviation_keeps_its_capitals_inside_a_sentence(tmp_path):
    path = tmp_path / "weather.toml"
    path.write_text(SMALL.replace('label = "Rain"', 'label = "GPS rain"'), encoding="utf-8")
    assert because(read_rulebook(path), {}) == "Open (GPS rain): -1 to +4."


def test_a_language_has_its_decimal_mark_and_its_capitals_in_every_sentence(tmp_path):
    path = tmp_path / "weather.toml"
    path.write_text(SMALL.replace("points = 4", "points = 4.4"), encoding="utf-8")
    english = read_rulebook(path)
    german = LoadedRulebook(
        english.rulebook, english.sha256, SentenceStyle(",", lowercase_labels=False)
    )
    rainy = {"rain": True, "winds": ("west",)}
    assert because(german, {}) == "Open (Rain): -1 to +4,4."
    assert because(english, {}) == "Open (rain): -1 to +4.4."
    assert because(german, {"rain": True, "winds": ()}).endswith("none of these: +4,4 points.")
    assert "+4,4 points, x0,25 = +1,1 points, because" in because(german, rainy)
    assert "+4.4 points, x0.25 = +1.1 points, because" in because(english, rainy)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "not answered"),
        (True, "yes"),
        (False, "no"),
        (3, "3"),
        (3.0, "3"),
        (2.25, "2,25"),
        (Decimal("3.50"), "3,5"),
        ((), "none of these"),
        (("west", "north"), "the north wind and the west wind"),
    ],
)
def test_an_answer_is_told_in_the_words_of_the_rulebook(weather, answer, words):
    explainer = Explainer(weather.rulebook, SentenceStyle(",", lowercase_labels=False))
    assert explainer.describe_answer("winds", answer) == words
    assert explainer.compile_template("It is {winds}, {winds}.")({"winds": answer}) == (
        f"It is {words}, {words}."
    )


@pytest.mark.parametrize(
    ("label", "words"),
    [("Rain", "rain"), ("GPS rain", "GPS rain"), ("CTs", "CTs"), ("X", "x"), ("X-ray", "x-ray")],
)
def test_a_label_begins_in_lower_case_unless_it_is_an_abbreviation(label, words):
    assert lowercase_first_letter(label) == words


def test_sources_not_re_read_are_named_where_they_are_shown(weather):
    assert assess(weather, {"rain": True}).limitations == ("Made up.", "Not re-read: someone_2020.")


@pytest.mark.parametrize("loaded", [*FIRST_RULEBOOKS, *SECOND_RULEBOOKS], ids=lambda it: it.name)
def test_no_sentence_leaves_a_place_unfilled(loaded):
    sentences = [criterion.because for criterion in assess(loaded, {}).criteria]
    assert len(sentences) == len(loaded.rulebook.criterion)
    assert [sentence for sentence in sentences if "{" in sentence or "None" in sentence] == []


def test_a_discount_on_a_yes_names_the_diagnosis_behind_it(nociplastic):
    answers = {"pain_symmetric": True, "diagnoses": ("osteoarthritis_several_joints",)}
    symmetric = next(
        criterion for criterion in assess(nociplastic, answers).criteria if criterion.id == "A4"
    )
    assert symmetric.discount.because in symmetric.because
    assert "osteoarthritis of several joints" in symmetric.discount.because


@pytest.mark.parametrize("names", [("opioid", "gabapentinoid"), ("gabapentinoid", "opioid")])
def test_what_discounts_is_told_in_the_order_of_the_questionnaire(nociplastic, names):
    answers = {"concentration_problems": True, "medicines": names}
    line = next(
        criterion for criterion in assess(nociplastic, answers).criteria if criterion.id == "B5"
    )
    assert line.discount.because.index("opioid") < line.discount.because.index("gabapentin")


def test_a_decimal_is_told_without_trailing_zeros(nociplastic):
    assert nociplastic.explainer.describe_answer("pain_duration_months", Decimal("5.30")) == "5.3"


def test_a_truth_value_is_told_as_yes_or_no(nociplastic):
    assert nociplastic.explainer.describe_answer("fatigue", True) == "yes"
    assert nociplastic.explainer.describe_answer("fatigue", False) == "no"


def test_of_two_equal_discounts_the_first_is_told(tmp_path):
    second = (
        '[[criterion.discount]]\nwhen = { question = "winds", includes = ["north"] }\n'
        'factor = 0.25\nbecause = "of the north"\n\n[[total]]'
    )
    path = tmp_path / "weather.toml"
    path.write_text(SMALL.replace("[[total]]", second), encoding="utf-8")
    line = assess(read_rulebook(path), {"rain": True, "winds": ("north", "west")}).criteria[0]
    assert line.discount.because == "it may be the west wind"


def test_only_what_is_unanswered_is_named_as_open(nociplastic):
    line = next(e for e in assess(nociplastic, {"phq4_nervous": 1}).criteria if e.id == "F1")
    assert "worrying" in line.because.lower()
    assert "nervous" not in line.because.lower()
