"""Models of requests that await the approval of a second person."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from schemas.base import FrozenModel, Many
from schemas.organisations.organisation import Client, Title
from schemas.patients.patient import Reference
from schemas.patients.rights import ErasureCounts, MergeCounts


class _SentWhole(FrozenModel):
    """A model whose members are all sent, also those with a default."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class RequestedPatient(_SentWhole):
    """The number of a patient; `system` null is any system, or none with `without_system`."""

    reference: Reference
    system: Reference | None = None
    without_system: bool = False


class ErasureRequest(_SentWhole):
    """The request to erase everything stored on a patient."""

    kind: Literal["erasure"] = "erasure"
    patient: RequestedPatient


class MergeRequest(_SentWhole):
    """The request to move everything from one number to another."""

    kind: Literal["merge"] = "merge"
    retired: RequestedPatient
    survivor: RequestedPatient


class ClientRequest(_SentWhole):
    """The request to create a client."""

    kind: Literal["client"] = "client"
    name: Title
    scopes: Many[str]
    requests_per_minute: int | None = None


ApprovalRequest = Annotated[
    ErasureRequest | MergeRequest | ClientRequest, Field(discriminator="kind")
]
Outcome = ErasureCounts | MergeCounts | Client


class Approval(FrozenModel):
    """A request that is carried out once another person approves it."""

    id: str
    requested_by: str = Field(description="The id of the client or practitioner.")
    requested_at: datetime
    expires_at: datetime
    request: ApprovalRequest
