"""Every vignette of nociplastic 2.0.0: what is expected of it, and that nothing is left untried."""

from functools import cache

import pytest
from support.scoring.vignettes import (
    SECOND,
    SECOND_FOLDER,
    WITHHELD,
    Vignette,
    extract_results,
    load_vignettes,
)

from schemas.assessments.assessment import Assessment
from scoring.engine import assess

BOOK = SECOND.rulebook
VIGNETTES = load_vignettes(SECOND_FOLDER, SECOND)
EXPECTATIONS = [vignette.expectations for vignette in VIGNETTES]


@cache
def assess_vignettes() -> dict[str, Assessment]:
    """Return the assessment of each vignette by its name."""
    return {
        vignette.name: assess(SECOND, vignette.answers, attested=vignette.clinician_named)
        for vignette in VIGNETTES
    }


def list_failures(vignette: Vignette) -> str | None:
    """Return what the assessment says otherwise than the vignette expects."""
    results = extract_results(assess_vignettes()[vignette.name], vignette.expectations)
    return None if results == vignette.expectations else f"{results} != {vignette.expectations}"


def list_expected(word: str) -> set[str]:
    """Return every entry of the lists that vignettes expect of this word."""
    return {entry for expectation in EXPECTATIONS for entry in expectation.get(word, ())}


def pairs(word: str) -> set[tuple[str, object]]:
    """Return everything that some vignette expects of each name under this word."""
    return {
        (name, value)
        for expectation in EXPECTATIONS
        for name, value in expectation.get(word, {}).items()
    }


def test_vignettes_have_names_of_their_own():
    assert len(assess_vignettes()) == len(VIGNETTES)


def test_the_eight_worked_cases_are_all_here():
    assert sum(vignette.file == "worked_cases" for vignette in VIGNETTES) == 8


def test_the_assessment_says_what_each_vignette_expects():
    assert len(VIGNETTES) > 380
    failures = {vignette.name: list_failures(vignette) for vignette in VIGNETTES}
    assert {name: failure for name, failure in failures.items() if failure} == {}


def test_every_red_flag_is_raised_somewhere():
    assert {flag.id for flag in BOOK.flag} - list_expected("flags") == set()


def test_every_flag_that_can_be_named_is_shown_as_assessed_somewhere():
    assessed_ids = {flag.id for flag in BOOK.flag if flag.assessed_by}
    assert list_expected("assessed") - assessed_ids == set()
    assert len(list_expected("assessed")) >= 20


def test_every_level_of_every_criterion_is_reached_with_its_points():
    levels = {(criterion.id, level.id) for criterion in BOOK.criterion for level in criterion.level}
    points = {
        (criterion.id, level.points) for criterion in BOOK.criterion for level in criterion.level
    }
    assert levels - pairs("levels") == set()
    assert points - pairs("points") == set()


def test_every_factor_of_every_criterion_is_applied_somewhere():
    factors = {
        (criterion.id, discount.factor)
        for criterion in BOOK.criterion
        for discount in criterion.discount
    }
    assert factors - pairs("discounts") == set()


def test_every_other_explanation_is_listed_somewhere():
    listed_ids = {entry.split()[0] for entry in list_expected("alternatives")}
    assert {alternative.id for alternative in BOOK.alternative} - listed_ids == set()


def test_every_contradiction_is_found_somewhere():
    assert {item.id for item in BOOK.contradiction} - list_expected("contradictions") == set()


def test_every_next_step_and_every_caution_is_given_somewhere():
    cautions = {caution for _, ids in pairs_of_lists("cautions") for caution in ids}
    assert {step.id for step in BOOK.next_step} - list_expected("next_steps") == set()
    assert {caution.id for caution in BOOK.caution} - cautions == set()


def test_every_step_with_a_condition_is_left_out_somewhere():
    conditional = {step.id for step in BOOK.next_step if step.id != "examine_again"}
    left_out = {
        step
        for expectation in EXPECTATIONS
        if "next_steps" in expectation
        for step in conditional - set(expectation["next_steps"])
    }
    assert left_out == conditional


def test_every_kind_of_sheet_is_chosen_somewhere():
    chosen_kinds = {expectation.get("sheet") for expectation in EXPECTATIONS}
    assert {sheet.kind for sheet in BOOK.sheet} - chosen_kinds == set()


def test_every_reason_for_no_band_is_given_somewhere():
    assert {reason.id for reason in BOOK.no_band_reason} - list_expected("why_no_band") == set()


@pytest.mark.parametrize(
    ("word", "block"), [("band", BOOK.band), ("picture", BOOK.picture)], ids=["band", "picture"]
)
def test_every_band_and_every_picture_is_expected_somewhere(word, block):
    expected = {expectation.get(word) for expectation in EXPECTATIONS}
    assert {*(item.id for item in block), WITHHELD} - expected == set()


def test_every_reason_of_scope_is_given_alone_somewhere():
    alone = {tuple(expectation.get("scope", ())) for expectation in EXPECTATIONS}
    assert {(rule.id,) for rule in BOOK.scope} - alone == set()


@pytest.mark.parametrize("grading", BOOK.grading, ids=lambda grading: grading.id)
def test_every_grade_is_expected_somewhere(grading):
    expected = {expectation.get(grading.id) for expectation in EXPECTATIONS}
    assert {step.id for step in grading.grade} - expected == set()


def test_every_domain_reaches_its_floor_and_its_ceiling():
    ends = {(domain.id, domain.floor) for domain in BOOK.domain if domain.id != "behaviour"}
    ends |= {(domain.id, domain.ceiling) for domain in BOOK.domain}
    assert ends - pairs("domains") == set()


def pairs_of_lists(word: str) -> list[tuple[str, list[str]]]:
    """Return each name with its list, of everything that vignettes expect of this word."""
    return [pair for expectation in EXPECTATIONS for pair in expectation.get(word, {}).items()]
