"""Selects next steps with their cautions, and the patient's sheet, from facts and results."""

from collections.abc import Callable

from schemas.assessments.assessment_context import NextStepOption, PatientSheet
from schemas.rulebooks.conditions import list_subjects
from schemas.rulebooks.guidance import NextStep
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.remembered_parts import remember_part


class GuidanceRules:
    """The next steps of one rulebook by rung, and its sheets in order."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        book = loaded.rulebook
        self._evaluate = loaded.evaluate
        self._cautions = {caution.id: caution for caution in book.caution}
        self._sheets = book.sheet
        self._crisis_lines_when = book.rulebook.crisis_lines_when
        by_rung = sorted(book.next_step, key=lambda step: step.rung)
        self._offer_steps = [self._compile_step(step) for step in by_rung]
        self._choose_sheet = self._compile_sheets()

    def select_next_steps(self, facts: Facts) -> tuple[NextStepOption, ...]:
        """Return the steps whose `when` is true and whose `not_when` is not, by rung."""
        return tuple(filter(None, [offer_step(facts) for offer_step in self._offer_steps]))

    def choose_sheet(self, facts: Facts) -> PatientSheet:
        """Return the first kind of sheet whose condition is true."""
        return self._choose_sheet(facts)

    def _compile_step(self, step: NextStep) -> Callable[[Facts], NextStepOption | None]:
        def offer_step(facts: Facts) -> NextStepOption | None:
            if step.when is not None and not self._evaluate(step.when, facts):
                return None
            if step.not_when and self._evaluate(step.not_when, facts):
                return None
            return NextStepOption(
                id=step.id,
                rung=step.rung,
                label=step.label,
                certainty=step.certainty,
                cautions=self._list_cautions(step, facts),
                citations=step.citations,
            )

        cautions = [self._cautions[name].when for name in step.cautions]
        return remember_part(list_subjects(step.when, step.not_when, *cautions), offer_step)

    def _compile_sheets(self) -> Callable[[Facts], PatientSheet]:
        crisis = self._crisis_lines_when

        def choose_sheet(facts: Facts) -> PatientSheet:
            return PatientSheet(
                kind=next(it.kind for it in self._sheets if self._evaluate(it.when, facts)),
                crisis_lines=crisis is not None and self._evaluate(crisis, facts) is True,
            )

        conditions = [sheet.when for sheet in self._sheets]
        return remember_part(list_subjects(*conditions, crisis), choose_sheet)

    def _list_cautions(self, step: NextStep, facts: Facts) -> tuple[str, ...]:
        cautions = (self._cautions[name] for name in step.cautions)
        return tuple(caution.text for caution in cautions if self._evaluate(caution.when, facts))
