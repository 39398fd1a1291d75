"""Cards of nociplastic 2.0.0: the band that is still open, its reasons, what to ask, what else."""

import json

from support.cds_cards import list_cards
from support.second_release import (
    CONFIDENTIAL,
    EXPLAINED,
    SCORED,
    SECOND,
    UNSETTLED,
    WITHHELD,
    WORKED_CASES,
    Vignette,
    assess_case,
)

from api.cds_hooks.cards import MAX_SUMMARY_CHARACTERS


def list_second_cards(case: Vignette) -> list[dict]:
    return list_cards(SECOND, json.loads(case.intake), assess_case(case))


def test_a_band_that_is_still_open_is_named_with_what_it_could_become():
    *_, result = list_second_cards(EXPLAINED)
    assert result["summary"].endswith(
        ": As answered so far: Points away; could become Points away to Some features."
    )
    assert len(result["summary"]) <= MAX_SUMMARY_CHARACTERS


def test_a_band_that_is_settled_is_named_alone():
    *_, result = list_second_cards(SCORED)
    assert result["summary"].endswith(": Strong pattern")


def test_without_a_band_the_possible_ones_the_reason_and_what_to_ask_are_named():
    *_, result = list_second_cards(UNSETTLED)
    assert "Between Points away and Strong pattern" in result["summary"]
    assert assess_case(UNSETTLED).why_no_band[0].text in result["detail"]
    assert "Ask first: Physical explanation, Diagnoses, Swollen or warm joint." in result["detail"]


def test_other_explanations_have_their_signs_and_what_would_settle_them():
    *_, result = list_second_cards(EXPLAINED)
    explanations = assess_case(EXPLAINED).alternatives
    assert len(explanations) == 4
    for explanation in explanations:
        assert f"Other explanation: {explanation.label}. Signs: " in result["detail"]
        assert explanation.settle in result["detail"]


def test_a_contradiction_is_told():
    *_, result = list_second_cards(
        SCORED._replace(answers=SCORED.answers | {"pain_extent": "spot"})
    )
    assert (
        "Three or more areas were marked, yet the pain was called one small spot."
        in (result["detail"])
    )


def test_a_withheld_screening_is_critical_in_both_cards():
    assert [card["indicator"] for card in list_second_cards(WITHHELD)] == ["critical", "critical"]


def test_a_flag_about_the_person_does_not_withhold_the_result():
    assert [card["indicator"] for card in list_second_cards(CONFIDENTIAL)] == ["critical", "info"]


def test_an_assessed_flag_is_shown_as_assessed():
    first, _ = list_second_cards(WORKED_CASES[2])
    assert first["indicator"] == "warning"
    assert first["detail"].count("Assessed. ") == 1


def test_a_person_out_of_scope_is_told_why():
    *_, result = list_second_cards(SCORED._replace(answers=SCORED.answers | {"age_years": 17}))
    assert result["indicator"] == "info"
    assert "{reasons}" not in result["detail"]
    assert "This screen was not made for this person" in result["detail"]
