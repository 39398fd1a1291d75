"""The vignettes together expect everything that the rulebook can say: nothing is left untried."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

import pytest
from support.scoring.vignettes import LOADED, WITHHELD, Vignette, load_vignettes

from schemas.rulebooks.conditions import Includes, iterate_statements
from schemas.rulebooks.rulebook import Discount
from scoring.conditions import expand_options

BOOK = LOADED.rulebook
VIGNETTES = load_vignettes()
EXPECTATIONS = [vignette.expectations for vignette in VIGNETTES]
STATUSES = {"withheld_red_flag", "out_of_scope", "insufficient_information", "scored"}
EDGES = {
    -4: ("points_away", "little"),
    2: ("little", "some"),
    6: ("some", "many"),
    11: ("many", "strong"),
}


def of(word: str) -> set[str]:
    """Everything that some vignette expects of this word."""
    return {expectation[word] for expectation in EXPECTATIONS if word in expectation}


def pairs(word: str) -> set[tuple[str, str]]:
    """Everything that some vignette expects of each name under this word."""
    return {pair for expectation in EXPECTATIONS for pair in expectation.get(word, {}).items()}


def test_every_level_of_every_criterion_is_expected_somewhere():
    levels = {(criterion.id, level.id) for criterion in BOOK.criterion for level in criterion.level}
    assert levels - pairs("levels") == set()


def test_every_criterion_is_expected_to_give_the_points_of_every_level():
    point_pairs = pairs("points")
    levels = {
        (criterion.id, level.points) for criterion in BOOK.criterion for level in criterion.level
    }
    assert levels - point_pairs == set()


def test_every_option_of_every_discount_is_expected_somewhere():
    reasons = {
        (criterion.id, discount.factor, *reason)
        for criterion in BOOK.criterion
        for discount in criterion.discount
        for reason in _reasons(discount)
    }
    assert (
        reasons
        - {outcomes for vignette in VIGNETTES for outcomes in _list_applied_discounts(vignette)}
        == set()
    )


def test_every_red_flag_is_expected_somewhere():
    raised_flags = {flag for expectation in EXPECTATIONS for flag in expectation.get("flags", ())}
    assert {flag.id for flag in BOOK.flag} - raised_flags == set()


def test_every_derived_flag_is_expected_not_to_be_raised_where_its_neighbour_is():
    """Each flag counted from answers is missing from some vignette that says so."""
    silent = [
        set(expectation.get("flags", ["?"]))
        for expectation in EXPECTATIONS
        if expectation.get("flags") == []
    ]
    assert len(silent) >= 12


def test_every_tier_is_expected_somewhere():
    assert {*(tier.id for tier in BOOK.tier), "none"} - of("tier") == set()


def test_every_status_is_expected_somewhere():
    assert STATUSES - of("status") == set()


def test_every_reason_of_scope_is_expected_alone():
    alone = {
        tuple(expectation["scope"])
        for expectation in EXPECTATIONS
        if len(expectation.get("scope", ())) == 1
    }
    assert {(rule.id,) for rule in BOOK.scope} - alone == set()


def test_every_band_is_expected_somewhere():
    assert {*(band.id for band in BOOK.band), WITHHELD} - of("band") == set()


@pytest.mark.parametrize("edge", EDGES)
def test_every_edge_of_the_bands_is_tried_on_the_line_and_on_both_sides(edge):
    below, above = EDGES[edge]
    outcomes = defaultdict(set)
    for expectation in EXPECTATIONS:
        if expectation.get("band", WITHHELD) != WITHHELD and "predominance" in expectation:
            outcomes[expectation["predominance"]].add(expectation["band"])
    on_the_line = below if edge == -4 else above
    assert on_the_line in outcomes[Decimal(edge)]
    assert any(
        below in outcomes[points] for points in outcomes if 0 < edge - points <= Decimal("0.5")
    )
    assert any(above in outcomes[points] for points in outcomes if 0 < points - edge <= 3)


def test_every_picture_is_expected_somewhere():
    assert {*(picture.id for picture in BOOK.picture), WITHHELD} - of("picture") == set()


@pytest.mark.parametrize("grading", BOOK.grading, ids=lambda grading: grading.id)
def test_every_grade_is_expected_somewhere(grading):
    assert {step.id for step in grading.grade} - of(grading.id) == set()


def test_every_line_of_the_iasp_criteria_is_met_not_met_and_unknown_somewhere():
    lines = [
        line.id
        for grading in BOOK.grading
        if grading.id == "iasp_2021"
        for line in grading.criterion
    ]
    outcomes = pairs("met")
    unknown = {(line, None) for line in ("1a", "1b", "1c", "1d", "3")}
    settled = {(line, is_met) for line in lines for is_met in (True, False)}
    assert (settled | unknown) - outcomes == set()


def test_every_pattern_is_seen_not_seen_and_not_asked_somewhere():
    states = {
        (str(pattern.number), state)
        for pattern in BOOK.pattern
        for state in ("seen", "not_seen", "not_asked")
    }
    assert states - pairs("patterns") == set()


def test_every_derived_value_is_expected_known_and_unknown():
    shown_values = {derived_value.id for derived_value in BOOK.derived if derived_value.shown}
    known_values = {name for name, value in pairs("derived") if value is not None}
    unknown = {name for name, value in pairs("derived") if value is None}
    assert (shown_values - known_values, shown_values - unknown) == (set(), set())


def test_each_domain_reaches_its_floor_and_its_ceiling():
    domain_pairs = pairs("domains")
    ends = {(domain.id, domain.floor) for domain in BOOK.domain if domain.id != "behaviour"}
    ends |= {(domain.id, domain.ceiling) for domain in BOOK.domain}
    assert ends - domain_pairs == set()


def _reasons(discount: Discount) -> set[tuple[str, str]]:
    return {
        (statement.subject, option)
        for statement in iterate_statements(discount.when)
        for option in (
            expand_options(statement, LOADED.questions)
            if isinstance(statement, Includes)
            else ("true",)
        )
    }


def _list_applied_discounts(vignette: Vignette) -> Iterator[tuple[str, Decimal, str, str]]:
    """Discounts that a vignette expects, with the reason where only one can be meant."""
    for criterion in BOOK.criterion:
        factor = vignette.expectations.get("discounts", {}).get(criterion.id)
        reasons = {
            (discount.factor, *reason)
            for discount in criterion.discount
            for reason in _reasons(discount)
            if _has_marked(vignette, *reason)
        }
        if factor is not None and len(reasons) == 1:
            yield (criterion.id, factor, *next(iter(reasons))[1:])


def _has_marked(vignette: Vignette, question: str, option: str) -> bool:
    answer = vignette.answers.get(question)
    return answer is True if option == "true" else option in (answer or ())
