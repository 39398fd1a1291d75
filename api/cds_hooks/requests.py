"""CDS Hooks requests from EHRs, and the identifiers of the patient whose chart is open.

Unknown members are ignored, as hooks may have extensions. `fhirAuthorization`, which grants access
to the EHR, is used to read a Patient that was not prefetched, and is not stored.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, Field

from api.auth.ehr_client import EhrClient, EhrError
from api.problems import FieldError, Problem
from schemas.base import Many
from schemas.patients.patient import PatientNumber

Uuid = Annotated[
    str, Field(pattern=r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$", max_length=36)
]
FhirId = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,64}$")]
MAX_IDENTIFIERS = 50


class _RequestModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class HookContext(_RequestModel):
    """The context of a hook: the patient whose chart is open."""

    patientId: FhirId  # noqa: N815 - the standard's name


class Prefetch(_RequestModel):
    """Prefetched resources; null if the EHR could not fetch one."""

    patient: dict[str, Any] | None = None


class FhirAuthorization(_RequestModel):
    """Access to the EHR for this call."""

    access_token: Annotated[str, Field(pattern=r"^[!-~]{1,16000}$")]


class HookRequest(_RequestModel):
    """A call of a CDS service."""

    hook: Literal["patient-view"]
    hookInstance: Uuid  # noqa: N815 - the standard's name
    fhirServer: Annotated[str, Field(pattern=r"^https?://[!-~]{1,180}$")] | None = None  # noqa: N815 - as above
    fhirAuthorization: FhirAuthorization | None = None  # noqa: N815 - as above
    context: HookContext
    prefetch: Prefetch | None = None


class CardFeedback(_RequestModel):
    """Feedback on one card. Free-text reasons are not stored."""

    card: Uuid
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: Annotated[str, Field(max_length=40)]  # noqa: N815 - the standard's name


class FeedbackRequest(_RequestModel):
    """Feedback on cards."""

    feedback: Annotated[Many[CardFeedback], Field(min_length=1, max_length=100)]


class PrefetchMissing(Problem):
    """The Patient is neither sent nor readable, for a reason that only the operator learns."""

    def __init__(self, detail: str, reason: str) -> None:
        super().__init__("prefetch_missing", detail)
        self.reason = reason


def find_patient(hook: HookRequest, ehr: EhrClient, organisation: str) -> dict[str, Any]:
    """Return the prefetched Patient, or read it at the EHR. Raises PrefetchMissing."""
    patient = hook.prefetch.patient if hook.prefetch else None
    if patient is not None:
        return patient
    missing = [
        name
        for name, member in (
            ("fhirServer", hook.fhirServer),
            ("fhirAuthorization", hook.fhirAuthorization),
        )
        if member is None
    ]
    if hook.fhirServer is None or hook.fhirAuthorization is None:
        names = " and ".join(f"`{name}`" for name in missing)
        raise PrefetchMissing(f"Send `prefetch.patient`, or {names} to read it.", "not_sent")
    token = hook.fhirAuthorization.access_token
    try:
        return ehr.read_patient(organisation, hook.fhirServer, hook.context.patientId, token)
    except EhrError as error:
        detail = "`prefetch.patient` was not sent, and the Patient cannot be read at `fhirServer`."
        raise PrefetchMissing(detail, f"patient_{error.reason}") from None


def list_patient_identifiers(
    hook: HookRequest, patient: dict[str, Any], own_system: str | None
) -> list[PatientNumber]:
    """List the distinct identifiers of the patient whose chart is open.

    An identifier in `own_system` also matches patients stored without a system. Raises Problem
    `invalid_request` if the Patient is another one.
    """
    if patient.get("resourceType") != "Patient" or patient.get("id") != hook.context.patientId:
        detail = "must be the Patient that the context names"
        error = FieldError(pointer="/prefetch/patient", code="patient", detail=detail)
        raise Problem("invalid_request", errors=[error])
    return list(dict.fromkeys(_list_identifiers(hook, patient, own_system)))


def _list_identifiers(
    hook: HookRequest, patient: dict[str, Any], own_system: str | None
) -> Iterator[PatientNumber]:
    identifiers = patient.get("identifier")
    for entry in identifiers[:MAX_IDENTIFIERS] if isinstance(identifiers, list) else ():
        identifier = entry if isinstance(entry, dict) else {}
        system, value = identifier.get("system"), identifier.get("value")
        if not _is_short(system) or not _is_short(value) or identifier.get("use") == "old":
            continue
        yield PatientNumber(value, system)
        if system == own_system:
            yield PatientNumber(value, None)
    if hook.fhirServer is not None:
        yield PatientNumber(hook.context.patientId, hook.fhirServer.rstrip("/"))


def _is_short(text: Any) -> TypeGuard[str]:
    return isinstance(text, str) and 0 < len(text) <= 200
