"""The vignettes together expect everything that the rulebook can say: nothing is left untried."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

import pytest
from support.scoring.vignettes import LOADED, WITHHELD, Vignette, vignettes

from schemas.conditions import Includes, iterate_statements
from schemas.rulebook import Discount
from scoring.conditions import expand_options

BOOK = LOADED.rulebook
VIGNETTES = vignettes()
EXPECTED = [each.expected for each in VIGNETTES]
STATUSES = {"withheld_red_flag", "out_of_scope", "insufficient_information", "scored"}
EDGES = {
    -4: ("points_away", "little"),
    2: ("little", "some"),
    6: ("some", "many"),
    11: ("many", "strong"),
}


def of(word: str) -> set[str]:
    """Everything that some vignette expects of this word."""
    return {expected[word] for expected in EXPECTED if word in expected}


def pairs(word: str) -> set[tuple[str, str]]:
    """Everything that some vignette expects of each name under this word."""
    return {pair for expected in EXPECTED for pair in expected.get(word, {}).items()}


def test_every_level_of_every_criterion_is_expected_somewhere():
    levels = {(each.id, level.id) for each in BOOK.criterion for level in each.level}
    assert levels - pairs("levels") == set()


def test_every_criterion_is_expected_to_give_the_points_of_every_level():
    given = pairs("points")
    levels = {(each.id, level.points) for each in BOOK.criterion for level in each.level}
    assert levels - given == set()


def test_every_option_of_every_discount_is_expected_somewhere():
    reasons = {
        (each.id, discount.factor, *reason)
        for each in BOOK.criterion
        for discount in each.discount
        for reason in _reasons(discount)
    }
    assert reasons - {found for each in VIGNETTES for found in _applied(each)} == set()


def test_every_red_flag_is_expected_somewhere():
    raised = {flag for expected in EXPECTED for flag in expected.get("flags", ())}
    assert {flag.id for flag in BOOK.flag} - raised == set()


def test_every_derived_flag_is_expected_not_to_be_raised_where_its_neighbour_is():
    """Each flag counted from answers is missing from some vignette that says so."""
    silent = [set(each.get("flags", ["?"])) for each in EXPECTED if each.get("flags") == []]
    assert len(silent) >= 12


def test_every_tier_is_expected_somewhere():
    assert {*(tier.id for tier in BOOK.tier), "none"} - of("tier") == set()


def test_every_status_is_expected_somewhere():
    assert STATUSES - of("status") == set()


def test_every_reason_of_scope_is_expected_alone():
    alone = {tuple(each["scope"]) for each in EXPECTED if len(each.get("scope", ())) == 1}
    assert {(rule.id,) for rule in BOOK.scope} - alone == set()


def test_every_band_is_expected_somewhere():
    assert {*(band.id for band in BOOK.band), WITHHELD} - of("band") == set()


@pytest.mark.parametrize("edge", EDGES)
def test_every_edge_of_the_bands_is_tried_on_the_line_and_on_both_sides(edge):
    below, above = EDGES[edge]
    found = defaultdict(set)
    for each in EXPECTED:
        if each.get("band", WITHHELD) != WITHHELD and "predominance" in each:
            found[each["predominance"]].add(each["band"])
    on_the_line = below if edge == -4 else above
    assert on_the_line in found[Decimal(edge)]
    assert any(below in found[points] for points in found if 0 < edge - points <= Decimal("0.5"))
    assert any(above in found[points] for points in found if 0 < points - edge <= 3)


def test_every_picture_is_expected_somewhere():
    assert {*(picture.id for picture in BOOK.picture), WITHHELD} - of("picture") == set()


@pytest.mark.parametrize("grading", BOOK.grading, ids=lambda grading: grading.id)
def test_every_grade_is_expected_somewhere(grading):
    assert {step.id for step in grading.grade} - of(grading.id) == set()


def test_every_line_of_the_iasp_criteria_is_met_not_met_and_unknown_somewhere():
    lines = [line.id for each in BOOK.grading if each.id == "iasp_2021" for line in each.criterion]
    found = pairs("met")
    unknown = {(line, None) for line in ("1a", "1b", "1c", "1d", "3")}
    settled = {(line, met) for line in lines for met in (True, False)}
    assert (settled | unknown) - found == set()


def test_every_pattern_is_seen_not_seen_and_not_asked_somewhere():
    states = {
        (str(each.number), state)
        for each in BOOK.pattern
        for state in ("seen", "not_seen", "not_asked")
    }
    assert states - pairs("patterns") == set()


def test_every_derived_value_is_expected_known_and_unknown():
    shown = {each.id for each in BOOK.derived if each.shown}
    known = {name for name, value in pairs("derived") if value is not None}
    unknown = {name for name, value in pairs("derived") if value is None}
    assert (shown - known, shown - unknown) == (set(), set())


def test_each_domain_reaches_its_floor_and_its_ceiling():
    reached = pairs("domains")
    ends = {(each.id, each.floor) for each in BOOK.domain if each.id != "behaviour"}
    ends |= {(each.id, each.ceiling) for each in BOOK.domain}
    assert ends - reached == set()


def _reasons(discount: Discount) -> set[tuple[str, str]]:
    return {
        (each.subject, option)
        for each in iterate_statements(discount.when)
        for option in (
            expand_options(each, LOADED.questions) if isinstance(each, Includes) else ("true",)
        )
    }


def _applied(vignette: Vignette) -> Iterator[tuple[str, Decimal, str, str]]:
    """Discounts that a vignette expects, with the reason where only one can be meant."""
    for criterion in BOOK.criterion:
        factor = vignette.expected.get("discounts", {}).get(criterion.id)
        reasons = {
            (discount.factor, *reason)
            for discount in criterion.discount
            for reason in _reasons(discount)
            if _marked(vignette, *reason)
        }
        if factor is not None and len(reasons) == 1:
            yield (criterion.id, factor, *next(iter(reasons))[1:])


def _marked(vignette: Vignette, question: str, option: str) -> bool:
    answer = vignette.answers.get(question)
    return answer is True if option == "true" else option in (answer or ())
