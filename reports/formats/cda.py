"""CDA R2: a document as the body of an unstructured clinical document (C-CDA 2.1 templates)."""

import base64
from uuid import NAMESPACE_OID, uuid5

from reports.svg import environment
from reports.view.heading import Heading
from schemas.base import Frozen

OID = "urn:oid:"


class Person(Frozen):
    """The person as the header of a clinical document names them."""

    reference: str | None
    root: str | None
    name: str | None
    birth: str | None


def cda(heading: Heading, title: str, language: str, content: bytes, media_type: str) -> bytes:
    """The clinical document around this content. Its id follows from what it holds."""
    system = heading.patient_system or ""
    person = Person(
        reference=heading.patient_reference,
        root=system.removeprefix(OID) if system.startswith(OID) else None,
        name=heading.patient_name,
        birth=heading.birth_date.strftime("%Y%m%d") if heading.birth_date else None,
    )
    replaced = heading.replaces
    filled = (
        environment()
        .get_template("cda.xml.j2")
        .render(
            identifier=str(uuid5(NAMESPACE_OID, base64.b64encode(content).decode())),
            title=title,
            language=language,
            made_at=heading.produced_at.strftime("%Y%m%d%H%M%S%z"),
            person=person,
            organisation=heading.letterhead.name or "nociscreen",
            screening=heading.screening_id,
            replaces=replaced.id if replaced else None,
            content=base64.b64encode(content).decode(),
            media_type=media_type,
        )
    )
    return _without_controls(filled).encode("utf-8")


def _without_controls(text: str) -> str:
    """XML cannot hold most controls, not even by their number."""
    return "".join(each for each in text if each in "\t\n" or each >= " ")
