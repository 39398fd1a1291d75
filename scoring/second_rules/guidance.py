"""Selects next steps with their cautions, and the patient's sheet, from facts and results."""

from schemas.assessment_context import NextStepOption, PatientSheet
from schemas.guidance import NextStep
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts


def select_next_steps(loaded: LoadedRulebook, facts: Facts) -> tuple[NextStepOption, ...]:
    """Return the steps whose `when` is true and whose `not_when` is not, by rung."""
    return tuple(
        NextStepOption(
            id=step.id,
            rung=step.rung,
            label=step.label,
            certainty=step.certainty,
            cautions=_list_cautions(loaded, step, facts),
            citations=step.citations,
        )
        for step in sorted(loaded.rulebook.next_step, key=lambda step: step.rung)
        if (step.when is None or loaded.evaluate(step.when, facts))
        and not (step.not_when and loaded.evaluate(step.not_when, facts))
    )


def choose_sheet(loaded: LoadedRulebook, facts: Facts) -> PatientSheet:
    """Return the first kind of sheet whose condition is true."""
    book = loaded.rulebook
    crisis = book.rulebook.crisis_lines_when
    return PatientSheet(
        kind=next(sheet.kind for sheet in book.sheet if loaded.evaluate(sheet.when, facts)),
        crisis_lines=crisis is not None and loaded.evaluate(crisis, facts) is True,
    )


def _list_cautions(loaded: LoadedRulebook, step: NextStep, facts: Facts) -> tuple[str, ...]:
    cautions = {caution.id: caution for caution in loaded.rulebook.caution}
    return tuple(
        cautions[name].text for name in step.cautions if loaded.evaluate(cautions[name].when, facts)
    )
