"""The shape of a delivery profile: how one kind of EHR takes a screening, as data.

What is known of an EHR and what is only believed are told apart: each fact says which it is.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Frozen, Many, Text

Transport = Literal["mllp", "fhir", "webhook"]
Form = Literal["pdf", "rtf", "txt", "html", "xml"]
Plain = Annotated[str, Field(max_length=100, pattern=r"^[\x20-\x7e]*$")]
Code = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[\x21-\x7e]+$")]
Resource = Literal["QuestionnaireResponse", "Observation", "RiskAssessment", "DocumentReference"]


class Fact(Frozen):
    """One thing about an EHR that the profile relies on."""

    says: Text
    confirmed: bool
    source: str


class DocumentOptions(Frozen):
    """The report: its format, and whether it travels itself or by its address."""

    form: Form = "pdf"
    forms: Many[Form] = ("pdf",)
    how: Literal["inline", "url", "none"] = "inline"
    hows: Many[Literal["inline", "url", "none"]] = ("inline", "url", "none")
    most_bytes: Annotated[int, Field(ge=1)] | None = None
    media_types: dict[Form, Plain] = Field(default_factory=dict)
    code: Code = "75492-9"
    display: Plain = "Risk assessment and screening note"


class V2Options(Frozen):
    """How an HL7 v2.5.1 message is worded."""

    message: Literal["ORU", "MDM"] = "ORU"
    character_set: Literal["UNICODE UTF-8", "8859/1", "ASCII"] = "UNICODE UTF-8"
    sending_application: Plain = "NOCISCREEN"
    sending_facility: Plain = ""
    receiving_application: Plain = ""
    receiving_facility: Plain = ""
    namespace: Code = "NSCR"
    authorities: dict[str, Plain] = Field(default_factory=dict)
    patient_number_type: Plain = "MR"
    clinician_authority: Plain = ""
    patient_class: Code = "U"
    document_type: Code = "PN"
    completion: Code = "DO"
    confidentiality: Code = "U"
    availability: Code = "AV"
    encapsulated: Annotated[Many[Plain], Field(min_length=4, max_length=4)] = (
        "NOCISCREEN",
        "AP",
        "{form}",
        "Base64",
    )
    most_field_characters: Annotated[int, Field(ge=200)] = 65_536


class FhirOptions(Frozen):
    """How resources are pushed."""

    mode: Literal["transaction", "single"] = "transaction"
    resources: Annotated[Many[Resource], Field(min_length=1)] = (
        "QuestionnaireResponse",
        "Observation",
        "RiskAssessment",
        "DocumentReference",
    )
    withdrawal: Literal["update", "none"] = "update"


class Profile(Frozen):
    """How one kind of receiver takes a screening."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    title: Text
    transport: Transport
    document: DocumentOptions = DocumentOptions()
    v2: V2Options = V2Options()
    fhir: FhirOptions = FhirOptions()
    fact: Many[Fact] = ()

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """What is believed of the receiver and was not seen to be so."""
        return tuple(each.says for each in self.fact if not each.confirmed)
