"""Every vignette: what is expected of it, and what must hold of any assessment."""

import json
import random
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

from support.scoring import oracle
from support.scoring.agreement import assert_agreement
from support.scoring.vignettes import (
    LOADED,
    Vignette,
    extract_results,
    load_vignettes,
    validate_answers,
)

from schemas.assessments.assessment import Assessment
from scoring.engine import assess

VIGNETTES = load_vignettes()


@cache
def assess_vignettes() -> dict[str, Assessment]:
    """Return the assessment of each vignette by its name."""
    return {vignette.name: assess(LOADED, vignette.answers) for vignette in VIGNETTES}


def list_scored_vignettes() -> list[Vignette]:
    return [
        vignette for vignette in VIGNETTES if assess_vignettes()[vignette.name].criteria is not None
    ]


def check_each(
    list_vignettes: Callable[[], list[Vignette]],
) -> Callable[[Callable[[Vignette], None]], Any]:
    """Turn a check of one vignette into a test of all, which reports each that fails."""

    def decorate(check: Callable[[Vignette], None]) -> Any:
        def test() -> None:
            vignettes = list_vignettes()
            assert len(vignettes) > 100
            failures = {}
            for vignette in vignettes:
                try:
                    check(vignette)
                except AssertionError as failure:
                    failures[vignette.name] = str(failure)
            assert failures == {}

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate


every_vignette = check_each(lambda: VIGNETTES)
every_scored_vignette = check_each(list_scored_vignettes)


def test_vignettes_have_names_of_their_own():
    assert len(assess_vignettes()) == len(VIGNETTES)


def test_the_nine_worked_cases_are_all_here():
    assert sum(vignette.file == "worked_cases" for vignette in VIGNETTES) == 9


@every_vignette
def test_the_assessment_says_what_the_vignette_expects(vignette: Vignette):
    assert (
        extract_results(assess_vignettes()[vignette.name], vignette.expectations)
        == vignette.expectations
    )


@every_vignette
def test_the_vignette_is_the_same_for_the_second_reading_of_the_specification(vignette: Vignette):
    assert_agreement(vignette.answers)


@every_scored_vignette
def test_contributions_add_up_to_domain_sums(vignette: Vignette):
    assessment = assess_vignettes()[vignette.name]
    sums = dict.fromkeys((domain.id for domain in LOADED.rulebook.domain), Decimal(0))
    for criterion in assessment.criteria:
        sums[criterion.domain] += criterion.points or 0
    assert {domain.id: domain.sum for domain in assessment.domains} == sums
    assert [
        domain.id
        for domain in assessment.domains
        if domain.points not in (0, max(domain.floor, min(domain.ceiling, domain.sum)))
    ] == []


@every_scored_vignette
def test_each_criterion_repeats_the_answers_that_it_read(vignette: Vignette):
    facts = LOADED.derive_facts(vignette.answers)
    criteria = assess_vignettes()[vignette.name].criteria
    assert len(criteria) == len(LOADED.rulebook.criterion)
    assert [criterion.id for criterion in criteria if not criterion.answers] == []
    assert [criterion.answers for criterion in criteria] == [
        {name: facts.get(name) for name in criterion.answers} for criterion in criteria
    ]


@every_scored_vignette
def test_domains_add_up_to_totals(vignette: Vignette):
    assessment = assess_vignettes()[vignette.name]
    domains = {domain.id: domain.points for domain in assessment.domains}
    contribution = sum(domains[name] for name in oracle.CONTRIBUTION)
    assert assessment.totals["contribution"].points == contribution
    assert assessment.totals["predominance"].points == sum(domains.values())


@every_scored_vignette
def test_ledgers_follow_from_domains(vignette: Vignette):
    assessment = assess_vignettes()[vignette.name]
    domains = {domain.id: domain.points for domain in assessment.domains}
    contribution = assessment.totals["contribution"].points
    ledgers = oracle.ledgers(
        {"domains": domains, "contribution": contribution}, validate_answers(vignette.intake)
    )
    assert assessment.picture.ledgers == ledgers


@every_scored_vignette
def test_what_if_is_true(vignette: Vignette):
    """Each line is worked out again from the points on the page."""
    assessment = assess_vignettes()[vignette.name]
    facts = {criterion.id: criterion.points or Decimal(0) for criterion in assessment.criteria}
    assert [what_if.criterion for what_if in assessment.what_if] == [
        n for n, p in facts.items() if p
    ]
    band = assessment.totals["predominance"].band
    for line in assessment.what_if:
        sums = oracle.add_up({**facts, line.criterion: Decimal(0)})
        assert line.points == sums["predominance"]
        expected_band = oracle.band_given(sums, vignette.answers) if band else None
        assert line.band == expected_band
        assert line.changes_band == (None if band is None else expected_band != band)


@every_scored_vignette
def test_points_lie_within_their_range(vignette: Vignette):
    totals = assess_vignettes()[vignette.name].totals
    assert totals.keys() == {"predominance", "contribution"}
    assert [
        name
        for name, total in totals.items()
        if not total.range.least <= total.points <= total.range.most
    ] == []


@every_vignette
def test_json_writes_exact_numbers_without_trailing_zeros(vignette: Vignette):
    json_text = assess_vignettes()[vignette.name].model_dump_json()
    numbers: list[str] = []
    read = json.loads(json_text, parse_float=lambda text: numbers.append(text) or float(text))
    assert all(Decimal(text).as_tuple().exponent >= -2 for text in numbers)
    assert not [text for text in numbers if text.endswith("0") or "e" in text.lower()]
    assert not list(_texts_for_numbers(read))


@every_vignette
def test_order_of_keys_and_options_changes_no_byte(vignette: Vignette):
    assert (
        _shuffled(vignette).model_dump_json() == assess_vignettes()[vignette.name].model_dump_json()
    )


@every_vignette
def test_null_is_the_same_as_absent(vignette: Vignette):
    nulls = {**dict.fromkeys(LOADED.questions), **vignette.answers}
    assert assess(LOADED, nulls) == assess_vignettes()[vignette.name]


@every_vignette
def test_the_assessment_survives_its_own_json(vignette: Vignette):
    json_text = assess_vignettes()[vignette.name].model_dump_json()
    again = Assessment.model_validate_json(json_text)
    assert again.model_dump_json() == json_text


NUMERIC = {"points", "full_points", "least", "most", "sum", "floor", "ceiling", "swing", "factor"}


def _texts_for_numbers(part: Any):
    match part:
        case dict():
            yield from (name for name, value in part.items() if name in NUMERIC and _is_text(value))
            for value in part.values():
                yield from _texts_for_numbers(value)
        case list():
            for value in part:
                yield from _texts_for_numbers(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _shuffled(vignette: Vignette) -> Assessment:
    dice = random.Random(vignette.name)
    names = dice.sample(sorted(vignette.answers), len(vignette.answers))
    answers = json.loads(vignette.intake)
    mixed = {
        name: dice.sample(answers[name], len(answers[name]))
        if isinstance(answers[name], list)
        else answers[name]
        for name in names
    }
    return assess(LOADED, validate_answers(json.dumps(mixed)))
