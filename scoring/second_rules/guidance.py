"""Selects next steps with their cautions, and the patient's sheet, from facts and results."""

from schemas.assessments.assessment_context import NextStepOption, PatientSheet
from schemas.rulebooks.guidance import NextStep
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts


class GuidanceRules:
    """The next steps of one rulebook by rung, and its sheets in order."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        book = loaded.rulebook
        self._evaluate = loaded.evaluate
        self._steps = sorted(book.next_step, key=lambda step: step.rung)
        self._cautions = {caution.id: caution for caution in book.caution}
        self._sheets = book.sheet
        self._crisis_lines_when = book.rulebook.crisis_lines_when

    def select_next_steps(self, facts: Facts) -> tuple[NextStepOption, ...]:
        """Return the steps whose `when` is true and whose `not_when` is not, by rung."""
        return tuple(
            NextStepOption(
                id=step.id,
                rung=step.rung,
                label=step.label,
                certainty=step.certainty,
                cautions=self._list_cautions(step, facts),
                citations=step.citations,
            )
            for step in self._steps
            if (step.when is None or self._evaluate(step.when, facts))
            and not (step.not_when and self._evaluate(step.not_when, facts))
        )

    def choose_sheet(self, facts: Facts) -> PatientSheet:
        """Return the first kind of sheet whose condition is true."""
        crisis = self._crisis_lines_when
        return PatientSheet(
            kind=next(sheet.kind for sheet in self._sheets if self._evaluate(sheet.when, facts)),
            crisis_lines=crisis is not None and self._evaluate(crisis, facts) is True,
        )

    def _list_cautions(self, step: NextStep, facts: Facts) -> tuple[str, ...]:
        cautions = (self._cautions[name] for name in step.cautions)
        return tuple(caution.text for caution in cautions if self._evaluate(caution.when, facts))
