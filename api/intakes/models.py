"""Request bodies of intakes, derived from the rulebooks in use.

One model for each rulebook, discriminated by the member `rulebook` (`nociplastic`,
`nociplastic@1.0.0`), so that the OpenAPI document describes every question.
"""

from collections.abc import Collection, Iterable, Mapping
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

from schemas.patients.patient import (
    AnsweredBy,
    Clinician,
    Day,
    KnownPatient,
    Note,
    Patient,
    find_day_fault,
)
from schemas.patients.screening import ScreeningContext
from schemas.rulebooks.rulebook_name import RulebookName
from scoring.answer_model import find_answer_model
from scoring.compiled_rulebook import LoadedRulebook


class Intake(BaseModel):
    """One submitted set of answers for one patient."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    patient: Patient | None = None
    answered_on: Day | None = Field(
        default=None, description="May be years ago, but not in the future."
    )
    answered_by: AnsweredBy | None = None
    clinician: Clinician | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _check_dates(self) -> Self:
        """Check that neither date is in the future and that birth precedes the answers."""
        birth_date = self.patient.birth_date if self.patient else None
        check_dates({("answered_on",): self.answered_on, ("patient", "birth_date"): birth_date})
        if birth_date and self.answered_on and birth_date > self.answered_on:
            raise _validation_error({("patient", "birth_date"): "must not be after answered_on"})
        return self

    @property
    def attested(self) -> bool:
        """Whether the intake names a clinician."""
        return self.clinician is not None

    @property
    def context(self) -> ScreeningContext:
        """The context of the answers: when, by whom, which clinician, and the note."""
        return ScreeningContext(
            answered_on=self.answered_on,
            answered_by=self.answered_by,
            clinician=self.clinician,
            note=self.note,
        )


class StorableIntake(Intake):
    """An intake to be stored: its patient must have a reference."""

    patient: KnownPatient


def check_dates(dates: Mapping[tuple[str, ...], date | None]) -> None:
    """Check dates, keyed by their place in the body. Raises ValidationError for impossible ones."""
    faults = {place: find_day_fault(day) for place, day in dates.items() if day is not None}
    if impossible := {place: fault for place, fault in faults.items() if fault}:
        raise _validation_error(impossible)


def _validation_error(faults: Mapping[tuple[str, ...], str]) -> ValidationError:
    """Build pydantic's error for faults at these places, without the values."""
    details = [
        InitErrorDetails(type=PydanticCustomError("day_range", fault), loc=place, input=None)
        for place, fault in faults.items()
    ]
    return ValidationError.from_exception_data("days", details)


def build_intake_model(
    rulebook: LoadedRulebook, names: Iterable[str], base: type[Intake] = Intake
) -> type[Intake]:
    """Build the model of an intake for this rulebook, which accepts these rulebook names."""
    fields: dict[str, Any] = {
        "rulebook": (
            Literal[tuple(names)],
            Field(description="An instrument, or one version of it (`instrument@version`)."),
        ),
        "answers": (
            find_answer_model(rulebook),
            Field(description="Answers by question id."),
        ),
    }
    name = f"{rulebook.instrument.title()}{base.__name__}_{rulebook.version.replace('.', '_')}"
    return create_model(name, __base__=base, __doc__=f"An intake for {rulebook.name}.", **fields)


def intake_union(rulebooks: Collection[LoadedRulebook], base: type[Intake] = Intake) -> Any:
    """Return the union of the intake models of the rulebooks, discriminated by `rulebook`.

    An instrument without a version means its newest version.
    """
    by_version = sorted(
        rulebooks, key=lambda rulebook: RulebookName.parse(rulebook.name).version_numbers
    )
    newest = {rulebook.instrument: rulebook for rulebook in by_version}
    models = []
    for rulebook in rulebooks:
        short_name = [rulebook.instrument] if newest[rulebook.instrument] is rulebook else []
        models.append(build_intake_model(rulebook, [*short_name, rulebook.name], base))
    return Annotated[reduce(or_, models), Field(discriminator="rulebook")]
