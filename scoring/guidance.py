"""Chooses next steps and the patient's sheet again for an assessment with parts left out."""

from collections.abc import Mapping
from typing import Any

from schemas.assessments.assessment import Assessment
from schemas.assessments.assessment_context import Guidance
from scoring.answer_model import validate_answers
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import compile_rules
from scoring.second_rules.assessment import SecondRules


def choose_guidance(
    loaded: LoadedRulebook, answers: Mapping[str, Any], assessment: Assessment
) -> Guidance | None:
    """Return the guidance for these answers and these results; None by the first rules.

    Nothing is scored again: the results are those of the assessment.
    """
    rules = compile_rules(loaded)
    if not isinstance(rules, SecondRules):
        return None
    valid_answers = validate_answers(loaded, answers)
    return rules.choose_guidance(valid_answers, assessment)
