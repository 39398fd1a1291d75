"""Nociplastic 1.0.0 with flags of three tiers, stored with the one about the person first."""

from typing import Any

from scoring.catalogue import load_catalogue
from scoring.engine import assess

FIRST = load_catalogue().find_version("nociplastic@1.0.0")
UNSAFE_AT_HOME = "Does not feel safe at home"
FLAGGED_ANSWERS: dict[str, Any] = {
    "rf_general": ["unexplained_weight_loss"],
    "rf_spine_and_nerves": ["saddle_numbness"],
    "rf_personal_safety": ["unsafe_at_home"],
}
OTHER_ANSWERS: dict[str, Any] = FLAGGED_ANSWERS | {"rf_personal_safety": []}
"""The same without a flag about the person."""
STORED_ORDER = ["unsafe_at_home", "saddle_numbness", "unexplained_weight_loss"]
ORDER_BY_TIER = ["saddle_numbness", "unsafe_at_home", "unexplained_weight_loss"]


def assess_first(answers: dict[str, Any]) -> Any:
    """Return the assessment of these answers by nociplastic 1.0.0."""
    return assess(FIRST, answers, attested=True)


def list_labels_by_tier() -> list[str]:
    """Return the labels of the flags in the order of every document."""
    labels = {flag.id: flag.label for flag in FIRST.rulebook.flag}
    return [labels[name] for name in ORDER_BY_TIER]
