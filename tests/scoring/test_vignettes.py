"""Every vignette: what is expected of it, and what must hold of any assessment."""

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from support.scoring import oracle
from support.scoring.agreement import assert_agreement
from support.scoring.vignettes import LOADED, Vignette, accepted, said, vignettes

from schemas.assessment import Assessment
from scoring.engine import assess

VIGNETTES = vignettes()
ASSESSED = {each.name: assess(LOADED, each.answers) for each in VIGNETTES}
SCORED = [each for each in VIGNETTES if ASSESSED[each.name].criteria is not None]
every_vignette = pytest.mark.parametrize("vignette", VIGNETTES, ids=lambda each: each.name)
every_scored_one = pytest.mark.parametrize("vignette", SCORED, ids=lambda each: each.name)


def test_vignettes_have_names_of_their_own():
    assert len(ASSESSED) == len(VIGNETTES)


def test_the_nine_worked_cases_are_all_here():
    assert sum(each.file == "worked_cases" for each in VIGNETTES) == 9


@every_vignette
def test_the_assessment_says_what_the_vignette_expects(vignette: Vignette):
    assert said(ASSESSED[vignette.name], vignette.expected) == vignette.expected


@every_vignette
def test_the_vignette_is_the_same_for_the_second_reading_of_the_specification(vignette: Vignette):
    assert_agreement(vignette.answers)


@every_scored_one
def test_contributions_add_up_to_domain_sums(vignette: Vignette):
    assessment = ASSESSED[vignette.name]
    for domain in assessment.domains:
        parts = [each.points for each in assessment.criteria if each.domain == domain.id]
        assert sum(part or 0 for part in parts) == domain.sum
        assert domain.points in (max(domain.floor, min(domain.ceiling, domain.sum)), 0)


@every_scored_one
def test_each_criterion_repeats_the_answers_that_it_read(vignette: Vignette):
    given = LOADED.derive_facts(vignette.answers)
    for criterion in ASSESSED[vignette.name].criteria:
        assert criterion.answers
        assert criterion.answers == {name: given.get(name) for name in criterion.answers}


@every_scored_one
def test_domains_add_up_to_totals(vignette: Vignette):
    assessment = ASSESSED[vignette.name]
    domains = {each.id: each.points for each in assessment.domains}
    contribution = sum(domains[name] for name in oracle.CONTRIBUTION)
    assert assessment.totals["contribution"].points == contribution
    assert assessment.totals["predominance"].points == sum(domains.values())


@every_scored_one
def test_ledgers_follow_from_domains(vignette: Vignette):
    assessment = ASSESSED[vignette.name]
    domains = {each.id: each.points for each in assessment.domains}
    contribution = assessment.totals["contribution"].points
    ledgers = oracle.ledgers(
        {"domains": domains, "contribution": contribution}, accepted(vignette.intake)
    )
    assert assessment.picture.ledgers == ledgers


@every_scored_one
def test_what_if_is_true(vignette: Vignette):
    """Each line is worked out again from the points on the page."""
    assessment = ASSESSED[vignette.name]
    given = {each.id: each.points or Decimal(0) for each in assessment.criteria}
    assert [each.criterion for each in assessment.what_if] == [n for n, p in given.items() if p]
    band = assessment.totals["predominance"].band
    for line in assessment.what_if:
        left = oracle.calculate_sums({**given, line.criterion: Decimal(0)})
        assert line.points == left["predominance"]
        expected = oracle.band_given(left, vignette.answers) if band else None
        assert line.band == expected
        assert line.changes_band == (None if band is None else expected != band)


@every_scored_one
def test_points_lie_within_their_range(vignette: Vignette):
    for total in ASSESSED[vignette.name].totals.values():
        assert total.range.least <= total.points <= total.range.most


@every_vignette
def test_json_writes_exact_numbers_without_trailing_zeros(vignette: Vignette):
    written = ASSESSED[vignette.name].model_dump_json()
    numbers: list[str] = []
    read = json.loads(written, parse_float=lambda text: numbers.append(text) or float(text))
    assert all(Decimal(text).as_tuple().exponent >= -2 for text in numbers)
    assert not [text for text in numbers if text.endswith("0") or "e" in text.lower()]
    assert not list(_texts_for_numbers(read))


@every_vignette
def test_order_of_keys_and_options_changes_no_byte(vignette: Vignette):
    assert _shuffled(vignette).model_dump_json() == ASSESSED[vignette.name].model_dump_json()


@every_vignette
def test_null_is_the_same_as_absent(vignette: Vignette):
    nulls = {**dict.fromkeys(LOADED.questions), **vignette.answers}
    assert assess(LOADED, nulls) == ASSESSED[vignette.name]


@every_vignette
def test_the_assessment_survives_its_own_json(vignette: Vignette):
    written = ASSESSED[vignette.name].model_dump_json()
    again = Assessment.model_validate_json(written)
    assert again.model_dump_json() == written


NUMERIC = {"points", "full_points", "least", "most", "sum", "floor", "ceiling", "swing", "factor"}


def _texts_for_numbers(part: Any):
    match part:
        case dict():
            yield from (name for name, each in part.items() if name in NUMERIC and _is_text(each))
            for each in part.values():
                yield from _texts_for_numbers(each)
        case list():
            for each in part:
                yield from _texts_for_numbers(each)


def _is_text(each: Any) -> bool:
    return isinstance(each, str)


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
    return assess(LOADED, accepted(json.dumps(mixed)))
