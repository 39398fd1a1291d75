"""Bodies: what a scoring request holds, derived from the rulebooks in use.

One model for each rulebook, told apart by the member `rulebook` (`nociplastic`,
`nociplastic@1.0.0`), so that every question stands in the API's description.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.patient import AnsweredBy, Clinician, Day, KnownPatient, Note, Patient, day_fault
from schemas.screening import Context
from scoring.answer_model import answer_model
from scoring.compiled_rulebook import LoadedRulebook


class Intake(BaseModel):
    """One submitted set of answers for one patient."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    patient: Patient | None = None
    answered_on: Day | None = Field(default=None, description="May lie years back, not ahead.")
    answered_by: AnsweredBy | None = None
    clinician: Clinician | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _days_can_be(self) -> Self:
        """A patient is born before being asked, and neither is still to come."""
        born = self.patient.birth_date if self.patient else None
        refuse_days({("answered_on",): self.answered_on, ("patient", "birth_date"): born})
        if born and self.answered_on and born > self.answered_on:
            raise _refused({("patient", "birth_date"): "must not be after answered_on"})
        return self

    @property
    def attested(self) -> bool:
        """Whether a clinician is named."""
        return self.clinician is not None

    @property
    def context(self) -> Context:
        """What was sent beside the answers."""
        return Context(
            answered_on=self.answered_on,
            answered_by=self.answered_by,
            clinician=self.clinician,
            note=self.note,
        )


class KeptIntake(Intake):
    """An intake that will be kept: its patient must be known by a reference."""

    patient: KnownPatient


def refuse_days(days: Mapping[tuple[str, ...], date | None]) -> None:
    """Refuse days, by their places, on which nothing can have been. Raises ValidationError."""
    faults = {place: day_fault(day) for place, day in days.items() if day is not None}
    if wrong := {place: fault for place, fault in faults.items() if fault}:
        raise _refused(wrong)


def _refused(faults: Mapping[tuple[str, ...], str]) -> ValidationError:
    """As pydantic tells what is wrong inside of a value; nothing that was sent is repeated."""
    wrong = [
        InitErrorDetails(type=PydanticCustomError("day_range", fault), loc=place, input=None)
        for place, fault in faults.items()
    ]
    return ValidationError.from_exception_data("days", wrong)


def intake_model(
    rulebook: LoadedRulebook, names: Iterable[str], base: type[Intake] = Intake
) -> type[Intake]:
    """The body that carries answers to this rulebook, called by one of these names."""
    header = rulebook.rulebook.rulebook
    fields: dict[str, Any] = {
        "rulebook": (
            Literal[tuple(names)],
            Field(description="An instrument, or one version of it."),
        ),
        "answers": (answer_model(rulebook.rulebook), Field(description="Question id to answer.")),
    }
    name = f"{header.instrument.title()}{base.__name__}_{header.version.replace('.', '_')}"
    return create_model(name, __base__=base, __doc__=f"An intake for {header.name}.", **fields)


def any_intake(rulebooks: Iterable[LoadedRulebook], base: type[Intake] = Intake) -> Any:
    """The type of a body for any of the rulebooks, told apart by the member `rulebook`.

    An instrument alone means its newest version.
    """
    newest: dict[str, LoadedRulebook] = {}
    for each in rulebooks:
        header = each.rulebook.rulebook
        held = newest.get(header.instrument)
        if held is None or _order(each) > _order(held):
            newest[header.instrument] = each
    models = []
    for each in rulebooks:
        header = each.rulebook.rulebook
        alone = [header.instrument] if newest[header.instrument] is each else []
        models.append(intake_model(each, [*alone, header.name], base))
    return Annotated[reduce(or_, models), Field(discriminator="rulebook")]


def _order(rulebook: LoadedRulebook) -> tuple[int, ...]:
    return tuple(int(part) for part in rulebook.rulebook.rulebook.version.split("."))
