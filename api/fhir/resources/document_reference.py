"""Builds the DocumentReference, Binary and Composition of a screening's report.

Each screening has its own DocumentReference; that of a correction replaces the earlier one.
"""

import hashlib
from base64 import b64encode
from html import escape
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

from api.documents.result_lines import describe_tier, find_result_words, list_result_lines
from api.fhir.elements import (
    RESTRICTED,
    URI_SYSTEM,
    Resource,
    ResourceVersion,
    build_concept,
    build_patient_reference,
    build_reference,
    build_security,
    build_software_reference,
    format_instant,
    label_security,
)
from api.fhir.links import build_encounter, find_encounter, list_authors, list_orders
from api.fhir.resources.observation import NOT_A_DIAGNOSIS
from reports.view.sections.flags import sort_by_tier

LOINC = "http://loinc.org"
PDF = "application/pdf"
TITLE = "Pain screening report"
_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
_FORMAT = "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode"
_XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


class ReportType(NamedTuple):
    """The document type of a report: a LOINC code with its display."""

    code: str
    display: str

    @property
    def concept(self) -> Resource:
        """The document type as a CodeableConcept."""
        return build_concept(LOINC, self.code, self.display) | {"text": TITLE}


def build_document_reference(
    version: ResourceVersion, report_type: ReportType, pdf: bytes | None = None
) -> Resource:
    """Return the DocumentReference, with the URL of the report or, if given, the PDF itself."""
    screening = version.screening
    url = f"{version.urls.fhir_url}/Binary/{screening.id}"
    attachment = build_attachment(version, PDF, pdf, url)
    resource: Resource = {
        "resourceType": "DocumentReference",
        "id": screening.id,
        "meta": {
            "versionId": str(_version_number(version)),
            "lastUpdated": _format_last_updated(version),
            **build_security(version),
        },
        "masterIdentifier": build_master_identifier(screening.id),
        "status": _status(version),
        "docStatus": _doc_status(version),
        "type": report_type.concept,
        "category": [build_concept(_CATEGORY, "clinical-note", "Clinical Note")],
        "subject": build_patient_reference(version),
        "date": version.stored_at,
        "author": [build_software_reference(version), *list_authors(version)],
        "description": f"{screening.assessment.rulebook}. {NOT_A_DIAGNOSIS}",
        "content": [{"attachment": attachment, "format": _build_format()}],
        "context": _build_context(version),
    }
    if version.is_confidential:
        resource["securityLabel"] = [{"coding": [RESTRICTED]}]
    if screening.replaces is not None:
        earlier = {
            "type": "DocumentReference",
            "identifier": build_master_identifier(screening.replaces),
        }
        resource["relatesTo"] = [{"code": "replaces", "target": earlier}]
    return resource


def _build_context(version: ResourceVersion) -> Resource:
    """Return the response, the order that it answers and its encounter."""
    encounter = find_encounter(version)
    related = [build_reference("QuestionnaireResponse", version), *list_orders(version)]
    return ({"encounter": [encounter]} if encounter else {}) | {"related": related}


def build_attachment(
    version: ResourceVersion, media_type: str, report: bytes | None, url: str
) -> Resource:
    """Return the Attachment of a report: its bytes if given, or else its URL."""
    attachment: Resource = {
        "contentType": media_type,
        "language": "en",
        "title": f"{TITLE} {version.screening.created_at.date().isoformat()}",
        "creation": version.stored_at,
    }
    if report is None:
        return attachment | {"url": url}
    digest = hashlib.sha1(report, usedforsecurity=False).digest()
    encoded = {"data": b64encode(report).decode(), "hash": b64encode(digest).decode()}
    return attachment | {"size": len(report)} | encoded


def build_binary(version: ResourceVersion, pdf: bytes) -> Resource:
    """Return the PDF as a Binary, accessible to users who may access the patient."""
    return {
        "resourceType": "Binary",
        "id": version.screening.id,
        **label_security(version),
        "contentType": PDF,
        "securityContext": build_patient_reference(version),
        "data": b64encode(pdf).decode(),
    }


def build_composition(version: ResourceVersion, report_type: ReportType) -> Resource:
    """Return the Composition that heads a document bundle, with sections of results and answers."""
    screening = version.screening
    in_error = screening.entered_in_error is not None
    status = "amended" if version.is_correction else "final"
    return {
        "resourceType": "Composition",
        "id": version.logical_id,
        "meta": {
            "versionId": str(version.number),
            "lastUpdated": version.updated_at,
            **build_security(version),
        },
        "identifier": {
            "system": URI_SYSTEM,
            "value": f"urn:uuid:{_derive_uuid(screening.id, 'composition')}",
        },
        "status": "entered-in-error" if in_error else status,
        "type": report_type.concept,
        "subject": build_patient_reference(version),
        **build_encounter(version),
        "date": version.stored_at,
        "author": [build_software_reference(version), *list_authors(version)],
        "title": TITLE,
        **({"confidentiality": RESTRICTED["code"]} if version.is_confidential else {}),
        "section": [
            _build_section(
                "Result", _summarise(version), ["Observation", "RiskAssessment"], version
            ),
            _build_section("Answers", [_count_answers(version)], ["QuestionnaireResponse"], version)
            | {"code": build_concept(LOINC, "74465-6", "Questionnaire response Document")},
        ],
    }


def build_master_identifier(screening: str) -> Resource:
    """Return the identifier of the report of one screening."""
    return {"system": URI_SYSTEM, "value": f"urn:uuid:{_derive_uuid(screening, 'document')}"}


def _derive_uuid(screening: str, purpose: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{screening} {purpose} identifier"))


def _version_number(version: ResourceVersion) -> int:
    """Count the creation, each merge of the patient, a replacement and an entry in error."""
    screening = version.screening
    merge_count = len({move.at for move in screening.moves})
    is_replaced, error = screening.replaced_by is not None, screening.entered_in_error
    return 1 + merge_count + is_replaced + (error is not None)


def _format_last_updated(version: ResourceVersion) -> str:
    """Return the instant of the creation or of the last change, whichever was last."""
    error, successor = version.screening.entered_in_error, version.successor
    changes = [version.screening.created_at, *(move.at for move in version.screening.moves)]
    changes += [error.at] if error else []
    changes += [successor.created_at] if successor else []
    return format_instant(max(changes))


def _status(version: ResourceVersion) -> str:
    screening = version.screening
    if screening.entered_in_error is not None:
        return "entered-in-error"
    return "superseded" if screening.replaced_by else "current"


def _doc_status(version: ResourceVersion) -> str:
    if version.screening.entered_in_error is not None:
        return "entered-in-error"
    return "amended" if version.is_correction else "final"


def _build_format() -> Resource:
    code = "urn:ihe:iti:xds:2017:mimeTypeSufficient"
    return {"system": _FORMAT, "code": code, "display": "mimeType Sufficient"}


def _build_section(
    title: str, lines: list[str], types: list[str], version: ResourceVersion
) -> Resource:
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return {
        "title": title,
        "text": {"status": "generated", "div": f"<div {_XHTML}>{paragraphs}</div>"},
        "entry": [build_reference(resource_type, version) for resource_type in types],
    }


def _summarise(version: ResourceVersion) -> list[str]:
    """List the red flags first, then the totals with their bands."""
    assessment, rulebook = version.screening.assessment, version.loaded.rulebook
    lines = [
        f"{describe_tier(flag)}: {flag.label}. {flag.action}"
        for flag in sort_by_tier(rulebook, assessment)
    ]
    labels = {total.id: total.label for total in rulebook.total}
    bands = {band.id: band.label for band in rulebook.band}
    for name, total in (assessment.totals or {}).items():
        band = f", {bands[total.band]}" if total.band else ""
        lines.append(f"{labels[name]}: {total.points.normalize():f}{band}")
    if words := find_result_words(rulebook, assessment):
        lines += [words.title, words.headline, *list_result_lines(rulebook, assessment)]
    elif assessment.totals is None:
        lines.append(rulebook.wording.withheld if lines else rulebook.wording.out_of_scope)
    return [*lines, NOT_A_DIAGNOSIS]


def _count_answers(version: ResourceVersion) -> str:
    count = sum(answer is not None for answer in version.screening.answers.values())
    return f"{count} of {len(version.loaded.questions)} questions answered"
