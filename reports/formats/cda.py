"""Wrap a document as an unstructured CDA R2 document (C-CDA 2.1 templates)."""

import base64
from uuid import NAMESPACE_OID, uuid5

from reports.blocks import Document
from reports.svg import template_environment
from reports.view.heading import ReportHeading
from schemas.base import FrozenModel

OID_URN_PREFIX = "urn:oid:"


class CdaPatient(FrozenModel):
    """The patient in the header; `root` is the OID of the system of the reference."""

    reference: str | None
    root: str | None
    name: str | None
    birth: str | None


def render_cda(
    heading: ReportHeading, document: Document, content: bytes, media_type: str
) -> bytes:
    """Return the clinical document around this content; its id is derived from the content."""
    system = heading.patient_system or ""
    patient = CdaPatient(
        reference=heading.patient_reference,
        root=system.removeprefix(OID_URN_PREFIX) if system.startswith(OID_URN_PREFIX) else None,
        name=heading.patient_name,
        birth=heading.birth_date.strftime("%Y%m%d") if heading.birth_date else None,
    )
    xml = (
        template_environment()
        .get_template("cda.xml.j2")
        .render(
            identifier=str(uuid5(NAMESPACE_OID, base64.b64encode(content).decode())),
            title=document.title,
            language=document.language,
            confidentiality="R" if document.is_restricted else "N",
            created_at=heading.produced_at.strftime("%Y%m%d%H%M%S%z"),
            patient=patient,
            organisation=heading.letterhead.name or "nociscreen",
            screening=heading.screening_id,
            replaces=heading.replaces.id if heading.replaces else None,
            content=base64.b64encode(content).decode(),
            media_type=media_type,
        )
    )
    return _strip_controls(xml).encode("utf-8")


def _strip_controls(text: str) -> str:
    """Remove control characters, which XML 1.0 can't hold even as character references."""
    return "".join(character for character in text if character in "\t\n" or character >= " ")
