"""Assesses one intake against a rulebook: pure, exact and deterministic.

The engine contains no clinical content; questions, points and sentences come from the rulebook,
which also names the generation of rules that it is scored by.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from schemas.assessments.assessment import Assessment, Safety
from scoring.common_rules.weighed_intake import WeighedIntake, weigh_facts
from scoring.compiled_rulebook import LoadedRulebook
from scoring.first_rules.assessment import FirstRules
from scoring.second_rules.assessment import SecondRules


def assess(
    loaded: LoadedRulebook, answers: Mapping[str, Any], *, attested: bool = False
) -> Assessment:
    """Assess one intake. The assessment is never a diagnosis.

    `answers` follow the rulebook's answer model; absent or None means not answered. `attested`
    means that a clinician is named for the clinician's answers. Raises UnknownQuestionError.
    """
    intake = loaded.read_answers(answers, attested=attested)
    return compile_rules(loaded).assess_intake(intake)


def assess_safety(
    loaded: LoadedRulebook, answers: Mapping[str, Any], *, attested: bool = False
) -> Safety:
    """Return the red flags that these answers raise. Raises UnknownQuestionError."""
    intake = loaded.read_answers(answers, attested=attested)
    return compile_rules(loaded).assess_safety(intake).safety


def weigh_answers(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> WeighedIntake:
    """Return points, totals and their range in hundredths. Raises UnknownQuestionError."""
    return weigh_facts(loaded, loaded.derive_facts(answers))


@cache
def compile_rules(loaded: LoadedRulebook) -> FirstRules | SecondRules:
    """Return the rules of the rulebook's generation; compiled once per process."""
    return (
        FirstRules(loaded) if loaded.rulebook.rulebook.scoring_rules == 1 else SecondRules(loaded)
    )
