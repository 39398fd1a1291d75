"""Models of a delivery profile: how one kind of EHR receives a screening, as data.

Each fact about an EHR states whether it is confirmed or assumed.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import FrozenModel, Many, Text

Transport = Literal["mllp", "fhir", "webhook", "subscription"]
DocumentFormat = Literal["pdf", "rtf", "txt", "html", "xml"]
AsciiText = Annotated[str, Field(max_length=100, pattern=r"^[\x20-\x7e]*$")]
CodeValue = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[\x21-\x7e]+$")]
PushedResource = Literal[
    "QuestionnaireResponse", "Observation", "RiskAssessment", "DocumentReference"
]


class ProfileFact(FrozenModel):
    """One fact about an EHR on which the profile relies."""

    says: Text
    confirmed: bool
    source: str


class DocumentOptions(FrozenModel):
    """The format of the report, and whether it is sent inline or as a URL."""

    form: DocumentFormat = "pdf"
    forms: Many[DocumentFormat] = ("pdf",)
    how: Literal["inline", "url", "none"] = "inline"
    hows: Many[Literal["inline", "url", "none"]] = ("inline", "url", "none")
    most_bytes: Annotated[int, Field(ge=1)] | None = None
    media_types: dict[DocumentFormat, AsciiText] = Field(default_factory=dict)
    code: CodeValue = "75492-9"
    display: AsciiText = "Risk assessment and screening note"


class V2Options(FrozenModel):
    """The field values of an HL7 v2.5.1 message."""

    message: Literal["ORU", "MDM"] = "ORU"
    character_set: Literal["UNICODE UTF-8", "8859/1", "ASCII"] = "UNICODE UTF-8"
    sending_application: AsciiText = "NOCISCREEN"
    sending_facility: AsciiText = ""
    receiving_application: AsciiText = ""
    receiving_facility: AsciiText = ""
    namespace: CodeValue = "NSCR"
    authorities: dict[str, AsciiText] = Field(default_factory=dict)
    patient_number_type: AsciiText = "MR"
    clinician_authority: AsciiText = ""
    patient_class: CodeValue = "U"
    document_type: CodeValue = "PN"
    completion: CodeValue = "DO"
    confidentiality: CodeValue = "U"
    availability: CodeValue = "AV"
    encapsulated: Annotated[Many[AsciiText], Field(min_length=4, max_length=4)] = (
        "NOCISCREEN",
        "AP",
        "{form}",
        "Base64",
    )
    most_field_characters: Annotated[int, Field(ge=200)] = 65_536


class ReceiverNeed(FrozenModel):
    """An element that a receiver needs, as a check of what would be sent."""

    resource: PushedResource
    place: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9]+)+$")] = Field(
        description="The place of the element, as a JSON Pointer."
    )
    pattern: Annotated[str, Field(max_length=200)] = Field(
        description="The regular expression that its text must match."
    )
    says: Text


class FhirOptions(FrozenModel):
    """How FHIR resources are sent."""

    mode: Literal["transaction", "single"] = "transaction"
    resources: Annotated[Many[PushedResource], Field(min_length=1)] = (
        "QuestionnaireResponse",
        "Observation",
        "RiskAssessment",
        "DocumentReference",
    )
    withdrawal: Literal["update", "none"] = "update"
    authors: Literal["all", "practitioners"] = Field(
        default="all",
        description="Whether a document names all authors, or only practitioners by their ids.",
    )
    looks_up_patient: bool = Field(
        default=False,
        description="Whether the patient is looked up by identifier at the receiver before each "
        "push, and named by the id found there.",
    )
    need: Many[ReceiverNeed] = Field(
        default=(), description="What the receiver needs; what lacks it is not sent."
    )


class Profile(FrozenModel):
    """How one kind of EHR receives a screening."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    title: Text
    transport: Transport
    document: DocumentOptions = DocumentOptions()
    v2: V2Options = V2Options()
    fhir: FhirOptions = FhirOptions()
    edition: Literal["shareable", "full"] = Field(
        default="shareable",
        description="Whether answers about the person are left out: safety, self-harm, adversity, "
        "trauma, and what was concluded from them.",
    )
    fact: Many[ProfileFact] = ()

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """Assumptions about the receiver that are not confirmed."""
        return tuple(fact.says for fact in self.fact if not fact.confirmed)
