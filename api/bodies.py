"""Bodies: what a scoring request holds, derived from the rulebooks in use.

One model for each rulebook, told apart by the member `rulebook` (`nociplastic`,
`nociplastic@1.0.0`), so that every question stands in the API's description.
"""

from collections.abc import Iterable
from datetime import date
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model

from schemas.base import Frozen
from scoring.answers import answer_model
from scoring.loaded import LoadedRulebook


def _iso_date(value: Any) -> Any:
    """A date as JSON writes it; anything else is not one."""
    if not isinstance(value, str):
        raise ValueError("must be a date written as YYYY-MM-DD")
    try:
        given = date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a date written as YYYY-MM-DD") from None
    if given.isoformat() != value:
        raise ValueError("must be a date written as YYYY-MM-DD")
    return given


Day = Annotated[
    date, BeforeValidator(_iso_date), WithJsonSchema({"type": "string", "format": "date"})
]
# what strict_json reads, so far as a pattern can say it; it comes first
READABLE = (
    r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
    r"\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]*$"
)
Reference = Annotated[str, Field(min_length=1, max_length=200, pattern=READABLE)]


class Patient(Frozen):
    """Who was screened. None of it reaches the scorer."""

    reference: Reference | None = Field(default=None, description="The number in your system.")
    system: Reference | None = Field(default=None, description="Which system numbers so, as a URI.")
    name: Reference | None = None
    birth_date: Day | None = None
    encounter: Reference | None = Field(default=None, description="The visit, as you number it.")


class Clinician(Frozen):
    """Who attests the answers to a clinician's questions."""

    reference: Reference


class Intake(BaseModel):
    """One submitted set of answers for one patient."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    patient: Patient | None = None
    answered_on: Day | None = Field(default=None, description="May lie years back.")
    answered_by: Literal["patient", "proxy", "staff", "clinician"] | None = None
    clinician: Clinician | None = None
    note: Annotated[str, Field(min_length=1, max_length=10_000, pattern=READABLE)] | None = None

    @property
    def attested(self) -> bool:
        """Whether a clinician is named."""
        return self.clinician is not None


def intake_model(rulebook: LoadedRulebook, names: Iterable[str]) -> type[Intake]:
    """The body that carries answers to this rulebook, called by one of these names."""
    header = rulebook.rulebook.rulebook
    fields: dict[str, Any] = {
        "rulebook": (
            Literal[tuple(names)],
            Field(description="An instrument, or one version of it."),
        ),
        "answers": (answer_model(rulebook.rulebook), Field(description="Question id to answer.")),
    }
    name = f"{header.instrument.title()}Intake_{header.version.replace('.', '_')}"
    return create_model(name, __base__=Intake, __doc__=f"An intake for {header.name}.", **fields)


def any_intake(rulebooks: Iterable[LoadedRulebook]) -> Any:
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
        models.append(intake_model(each, [*alone, header.name]))
    return Annotated[reduce(or_, models), Field(discriminator="rulebook")]


def _order(rulebook: LoadedRulebook) -> tuple[int, ...]:
    return tuple(int(part) for part in rulebook.rulebook.rulebook.version.split("."))
