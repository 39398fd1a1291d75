"""What an EHR sends: a hook with its context and what it fetched before. Whose chart is open?

What is sent beside is let in and left alone: hooks are extended by others. `fhirAuthorization`,
which opens the EHR, is neither read nor kept.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, TypeGuard

from pydantic import BaseModel, ConfigDict, Field

from api.problems import FieldError, Problem
from schemas.base import Many
from schemas.patient import READABLE

Uuid = Annotated[
    str, Field(pattern=r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$", max_length=36)
]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,64}$")]
Text = Annotated[str, Field(max_length=200, pattern=READABLE)]
MOST_IDENTIFIERS = 50


class _Taken(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class HookContext(_Taken):
    """Whose chart is open, and who opened it."""

    patientId: Id  # noqa: N815 - the standard's name


class Prefetch(_Taken):
    """What was asked for beforehand. A part that could not be fetched is null."""

    patient: dict[str, Any] | None = None


class Hook(_Taken):
    """A call of a service."""

    hook: Literal["patient-view"]
    hookInstance: Uuid  # noqa: N815 - the standard's name
    fhirServer: Annotated[str, Field(pattern=r"^https?://[!-~]{1,180}$")] | None = None  # noqa: N815 - as above
    context: HookContext
    prefetch: Prefetch | None = None


class CardFeedback(_Taken):
    """What became of a card. What was written about it is not kept."""

    card: Uuid
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: Annotated[str, Field(max_length=40)]  # noqa: N815 - the standard's name


class Feedback(_Taken):
    """What became of cards."""

    feedback: Annotated[Many[CardFeedback], Field(min_length=1, max_length=100)]


class Numbered(NamedTuple):
    """A patient by number, and the system that numbers so, if any."""

    reference: str
    system: str | None


def patients(hook: Hook, own_system: str | None) -> list[Numbered]:
    """Every number of the patient whose chart is open, each once.

    `own_system` is the identifier system by which patients without a system are numbered. Raises
    Problem `prefetch_missing`, and `wrong_shape` where what was fetched is of another patient.
    """
    patient = hook.prefetch.patient if hook.prefetch else None
    if patient is None:
        raise Problem("prefetch_missing")
    if patient.get("resourceType") != "Patient" or patient.get("id") != hook.context.patientId:
        other = "must be the Patient that the context names"
        fault = FieldError(pointer="/prefetch/patient", code="patient", detail=other)
        raise Problem("wrong_shape", errors=[fault])
    return list(dict.fromkeys(_numbers(hook, patient, own_system)))


def _numbers(hook: Hook, patient: dict[str, Any], own_system: str | None) -> Iterator[Numbered]:
    identifiers = patient.get("identifier")
    for each in identifiers[:MOST_IDENTIFIERS] if isinstance(identifiers, list) else ():
        given = each if isinstance(each, dict) else {}
        system, value = given.get("system"), given.get("value")
        if not _is_short(system) or not _is_short(value) or given.get("use") == "old":
            continue
        yield Numbered(value, system)
        if system == own_system:
            yield Numbered(value, None)
    if hook.fhirServer is not None:
        yield Numbered(hook.context.patientId, hook.fhirServer.rstrip("/"))


def _is_short(text: Any) -> TypeGuard[str]:
    return isinstance(text, str) and 0 < len(text) <= 200
