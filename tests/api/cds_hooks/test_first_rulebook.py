"""Cards of nociplastic 1.0.0: critical where the result is withheld, flags by tier."""

from support.cds_cards import list_cards
from support.first_release import (
    FIRST,
    FLAGGED_ANSWERS,
    STORED_ORDER,
    assess_first,
    list_labels_by_tier,
)


def list_first_cards(answers: dict) -> list[dict]:
    return list_cards(FIRST, answers, assess_first(answers))


def test_a_withheld_screening_is_critical_in_both_cards():
    assert assess_first(FLAGGED_ANSWERS).status == "withheld_red_flag"
    assert [card["indicator"] for card in list_first_cards(FLAGGED_ANSWERS)] == [
        "critical",
        "critical",
    ]


def test_a_flag_about_the_person_does_not_withhold_the_result():
    cards = list_first_cards({"rf_personal_safety": ["unsafe_at_home"]})
    assert [card["indicator"] for card in cards] == ["critical", "info"]


def test_flags_stand_by_tier_and_not_as_they_are_stored():
    stored_flags = assess_first(FLAGGED_ANSWERS).safety.flags
    assert [flag.id for flag in stored_flags] == STORED_ORDER
    flags_card, _ = list_first_cards(FLAGGED_ANSWERS)
    lines = flags_card["detail"].splitlines()[:3]
    for line, label in zip(lines, list_labels_by_tier(), strict=True):
        assert line.startswith(f"- **{label}.** ")
