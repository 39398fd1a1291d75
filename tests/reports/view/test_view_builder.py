"""The view: order, marks and words, before any format."""

from datetime import date
from decimal import Decimal

import pytest
from support.report_examples import assessed, viewed

from reports.phrases import wording
from reports.view.text_sanitiser import clean, one_line, typeset
from scoring.catalogue import load_catalogue

DISTRESS_ONLY = {
    "pain_sites": ["lower_back"],
    "pain_extent": "spot",
    "phq4_down": 3,
    "phq4_interest": 3,
    "worry_means_damage": True,
}


def test_every_unverified_source_is_marked_wherever_it_is_cited():
    shown = viewed("widespread_pain", {"imaging_findings": ["coccyx_spicule", "disc_bulge"]})
    unverified = {each.mark.rstrip("\N{DAGGER}") for each in shown.sources if each.unverified}
    assert unverified
    cited = [each.sources for each in (*shown.criteria, *shown.flags, *shown.findings)]
    cited += [each.sources for each in (*shown.gradings, *shown.next_steps)]
    for marks in cited:
        for mark in filter(None, marks.split(", ")):
            assert mark.endswith("\N{DAGGER}") == (mark.rstrip("\N{DAGGER}") in unverified)


def test_every_citation_of_the_assessment_is_listed():
    _, assessment = assessed("widespread_pain")
    texts = {
        each.id: each.text for each in load_catalogue().find_active("nociplastic").rulebook.citation
    }
    listed = {each.text for each in viewed("widespread_pain").sources}
    for criterion in assessment.criteria:
        assert {texts[each] for each in criterion.citations} <= listed


def test_reasons_come_strongest_first():
    shown = viewed("widespread_pain")
    points = [float(each.points) for each in shown.supporting]
    assert points == sorted(points, reverse=True)
    assert [each.id for each in shown.opposing] == ["E1"]


def test_a_domain_that_does_not_count_speaks_neither_for_nor_against():
    shown = viewed("too_little_known", DISTRESS_ONLY)
    assert not {"F2", "F3"} & {each.id for each in shown.supporting}
    (psychosocial,) = [row for row in shown.domains if row.label == "Psychosocial"]
    assert psychosocial.text.startswith("Sum 2, counted as 0: Distress and adversity alone")


def test_a_clamped_domain_says_its_bounds():
    shown = viewed("widespread_pain")
    (distribution,) = [row for row in shown.domains if row.label == "Distribution"]
    assert distribution.text == "Sum 7, counted as 6."
    assert distribution.ends == "Counts between \N{MINUS SIGN}5 and 6."


def test_the_point_lies_within_its_range_on_the_line(example):
    drawn = viewed(example).scale
    if drawn is None:
        assert example == "red_flag"
        return
    assert 0 <= drawn.least <= drawn.point <= drawn.most <= 100
    ends = [each.left + each.width for each in drawn.stretches]
    assert drawn.stretches[0].left == 0
    assert ends[-1] == pytest.approx(100)


def test_an_instrument_without_ledgers_draws_none():
    shown = viewed("phq4")
    assert shown.ledgers is None
    assert shown.picture is None
    assert shown.band == "Mild"


def test_out_of_scope_says_why_and_gives_nothing():
    shown = viewed("widespread_pain", {"age_years": 17, "pregnant": True})
    assert shown.scope_reasons == ("Younger than 18", "Pregnant")
    assert "Younger than 18, Pregnant" in shown.headline
    assert shown.scale is None
    assert shown.criteria == ()


def test_numbers_are_written_exactly():
    words = wording()
    assert words.number(Decimal("-15.25")) == "\N{MINUS SIGN}15.25"
    assert words.number(Decimal("18.00")) == "18"
    assert words.signed(Decimal("1.50")) == "+1.5"
    assert words.signed(Decimal(0)) == "0"
    assert words.share(Decimal("0.37")) == "37 %"
    assert words.written(date(2026, 11, 5)) == "5 November 2026"
    assert words.written(None) is None
    assert typeset("x0.7 = -3 points, T2-weighted, 10.1016/j-5") == (
        "\N{MULTIPLICATION SIGN}0.7 = \N{MINUS SIGN}3 points, T2-weighted, 10.1016/j-5"
    )


def test_control_characters_are_taken_out():
    assert clean("a\x00b\x1b\u202ec\nd\te\u2066") == "abc\nd\te"
    assert one_line("a\n b\t\tc ") == "a b c"
    assert clean(" \x07 ") is None


def test_what_cannot_be_seen_is_taken_out():
    assert clean("A\u200bd\ufeffa\u00ad\U000e0041\u202e") == "Ada"
    assert clean("\u0915\u094d\u200d\u0937") == "\u0915\u094d\u200d\u0937"
