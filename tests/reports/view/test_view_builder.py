"""The view: order, marks and words, before any format."""

from datetime import date
from decimal import Decimal

import pytest
from support.reports.report_examples import (
    assess_example,
    build_example_view,
    iterate_blocks,
    list_texts,
)

from reports.formats import build_document
from reports.phrases import load_phrases
from reports.view.text_sanitiser import clean_line, clean_text, typeset_signs
from scoring.catalogue import load_catalogue

DISTRESS_ONLY = {
    "pain_sites": ["lower_back"],
    "pain_extent": "spot",
    "phq4_down": 3,
    "phq4_interest": 3,
    "worry_means_damage": True,
}


def test_every_unverified_source_is_marked_once_at_its_reference():
    view = build_example_view(
        "widespread_pain", {"imaging_findings": ["coccyx_spicule", "disc_bulge"]}
    )
    unverified = [source.mark for source in view.sources if source.unverified and source.is_printed]
    assert unverified
    document = build_document(view, "clinician")
    (source_list,) = [block for block in iterate_blocks(document.blocks) if block.role == "source"]
    marks = [run.text.strip() for run in source_list.runs if "\N{DAGGER}" in run.text]
    assert marks == [f"{mark}\N{DAGGER}" for mark in unverified]
    other_texts = [text for text in list_texts(document.blocks) if "\N{DAGGER}" in text]
    assert other_texts == [load_phrases().words["dagger"], *(f"{mark} " for mark in marks)]


def test_every_citation_of_the_assessment_is_listed():
    assessment = assess_example("widespread_pain").assessment
    texts = {
        citation.id: citation.text
        for citation in load_catalogue().find_version(assessment.rulebook).rulebook.citation
    }
    source_texts = {source.text for source in build_example_view("widespread_pain").sources}
    cited = {citation for criterion in assessment.criteria for citation in criterion.citations}
    assert cited
    assert {texts[citation] for citation in cited} <= source_texts


def test_reasons_come_strongest_first():
    view = build_example_view("widespread_pain")
    points = [float(line.points) for line in view.supporting]
    assert points == sorted(points, reverse=True)
    assert [line.id for line in view.opposing] == ["E1"]


def test_a_domain_that_does_not_count_speaks_neither_for_nor_against():
    view = build_example_view("too_little_known", DISTRESS_ONLY)
    assert not {"F2", "F3"} & {line.id for line in view.supporting}
    (psychosocial,) = [row for row in view.domains if row.label == "Psychosocial"]
    assert psychosocial.text.startswith("Sum 2, counted as 0: Distress and adversity alone")


def test_a_clamped_domain_says_its_bounds():
    view = build_example_view("widespread_pain")
    (distribution,) = [row for row in view.domains if row.label == "Distribution"]
    assert distribution.text == "Sum 7, counted as 6."
    assert distribution.bounds_text == "Counts between \N{MINUS SIGN}5 and 6."


AXES = {
    "nociplastic@1.0.0": ("\N{MINUS SIGN}40", "24"),
    "phq4@1.0.0": ("0", "12"),
}


def test_the_axis_is_the_same_in_every_report_of_a_rulebook():
    cases = [("widespread_pain", {}), ("too_little_known", {}), ("too_little_known", DISTRESS_ONLY)]
    views = [build_example_view(name, answers) for name, answers in (*cases, ("phq4", {}))]
    assert {(view.scale.low, view.scale.high) for view in views[:-1]} == {AXES["nociplastic@1.0.0"]}
    assert (views[-1].scale.low, views[-1].scale.high) == AXES["phq4@1.0.0"]
    starts = {tuple(segment.position for segment in view.scale.segments) for view in views[:-1]}
    assert len(starts) == 1


def test_a_point_lies_within_its_range_on_the_line_and_needs_a_band(example):
    view = build_example_view(example)
    scale = view.scale
    if scale is None:
        assert example == "red_flag"
        return
    assert 0 <= scale.range_start <= scale.range_end <= 100
    if view.band is None:
        assert (scale.total_position, scale.total_label) == (None, "")
    else:
        assert scale.range_start <= scale.total_position <= scale.range_end
    ends = [segment.position + segment.width for segment in scale.segments]
    assert scale.segments[0].position == 0
    assert ends[-1] == pytest.approx(100)


def test_an_instrument_without_ledgers_draws_none():
    view = build_example_view("phq4")
    assert view.ledgers is None
    assert view.picture is None
    assert view.band == "Mild"


def test_out_of_scope_says_why_and_gives_nothing():
    view = build_example_view("widespread_pain", {"age_years": 17, "pregnant": True})
    assert view.scope_reasons == ("Younger than 18", "Pregnant")
    assert "Younger than 18, Pregnant" in view.headline
    assert view.scale is None
    assert view.criteria == ()


def test_numbers_are_written_exactly():
    words = load_phrases()
    assert words.format_number(Decimal("-15.25")) == "\N{MINUS SIGN}15.25"
    assert words.format_number(Decimal("18.00")) == "18"
    assert words.format_signed(Decimal("1.50")) == "+1.5"
    assert words.format_signed(Decimal(0)) == "0"
    assert words.format_percent(Decimal("0.37")) == "37 %"
    assert words.format_date(date(2026, 11, 5)) == "5 November 2026"
    assert words.format_date(None) is None
    assert typeset_signs("x0.7 = -3 points, T2-weighted, 10.1016/j-5") == (
        "\N{MULTIPLICATION SIGN}0.7 = \N{MINUS SIGN}3 points, T2-weighted, 10.1016/j-5"
    )


def test_control_characters_are_taken_out():
    assert clean_text("a\x00b\x1b\u202ec\nd\te\u2066") == "abc\nd\te"
    assert clean_line("a\n b\t\tc ") == "a b c"
    assert clean_text(" \x07 ") is None


def test_what_cannot_be_seen_is_taken_out():
    assert clean_text("A\u200bd\ufeffa\u00ad\U000e0041\u202e") == "Ada"
    assert clean_text("\u0915\u094d\u200d\u0937") == "\u0915\u094d\u200d\u0937"
