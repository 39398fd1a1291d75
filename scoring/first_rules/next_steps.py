"""Selects next steps by status, picture and condition."""

from functools import cache

from schemas.assessments.assessment_context import NextStepOption
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts


def select_next_steps(
    loaded: LoadedRulebook, facts: Facts, status: str, picture: str | None
) -> tuple[NextStepOption, ...]:
    """Return the next steps that apply to this status, picture and facts."""
    return tuple(
        option
        for step, option in zip(loaded.rulebook.next_step, _build_options(loaded), strict=True)
        if (not step.pictures or picture in step.pictures)
        and (not step.statuses or status in step.statuses)
        and (step.when is None or loaded.evaluate(step.when, facts))
    )


@cache
def _build_options(loaded: LoadedRulebook) -> tuple[NextStepOption, ...]:
    return tuple(
        NextStepOption(
            id=step.id, label=step.label, certainty=step.certainty, citations=step.citations
        )
        for step in loaded.rulebook.next_step
    )
