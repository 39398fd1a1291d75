"""The report of a screening as DocumentReference, Binary and Composition.

A DocumentReference tells of one screening: that of a correction replaces the earlier one's.
"""

import hashlib
from base64 import b64encode
from html import escape
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

from api.fhir.elements import URN, Resource, Version, coded, instant, reference, software, subject
from api.fhir.resources.observation import NOT_A_DIAGNOSIS

LOINC = "http://loinc.org"
PDF = "application/pdf"
TITLE = "Pain screening report"
_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
_FORMAT = "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode"
_XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


class Kind(NamedTuple):
    """What a report is filed as: a LOINC code with its display."""

    code: str
    display: str

    @property
    def concept(self) -> Resource:
        """The type of a report."""
        return coded(LOINC, self.code, self.display) | {"text": TITLE}


def document_reference(version: Version, kind: Kind, pdf: bytes | None = None) -> Resource:
    """Where the report is, or with the PDF given, the report itself."""
    screening = version.screening
    told: Resource = {
        "resourceType": "DocumentReference",
        "id": screening.id,
        "meta": {"versionId": str(_number(version)), "lastUpdated": _updated(version)},
        "masterIdentifier": master_identifier(screening.id),
        "status": _status(version),
        "docStatus": _doc_status(version),
        "type": kind.concept,
        "category": [coded(_CATEGORY, "clinical-note", "Clinical Note")],
        "subject": subject(version),
        "date": version.kept,
        "author": [software(version)],
        "description": f"{screening.assessment.rulebook}. {NOT_A_DIAGNOSIS}",
        "content": [{"attachment": _attachment(version, pdf), "format": _format()}],
        "context": {"related": [reference("QuestionnaireResponse", version)]},
    }
    if screening.replaces is not None:
        earlier = {
            "type": "DocumentReference",
            "identifier": master_identifier(screening.replaces),
        }
        told["relatesTo"] = [{"code": "replaces", "target": earlier}]
    return told


def binary(version: Version, pdf: bytes) -> Resource:
    """The bytes of the report; who may see the patient may see it."""
    return {
        "resourceType": "Binary",
        "id": version.screening.id,
        "contentType": PDF,
        "securityContext": subject(version),
        "data": b64encode(pdf).decode(),
    }


def composition(version: Version, kind: Kind) -> Resource:
    """What heads a document bundle: the answers and what was computed of them, as sections."""
    screening = version.screening
    in_error = screening.entered_in_error is not None
    stated = "amended" if version.corrects else "final"
    return {
        "resourceType": "Composition",
        "id": version.first,
        "meta": {"versionId": str(version.number), "lastUpdated": version.updated},
        "identifier": {"system": URN, "value": f"urn:uuid:{_named(screening.id, 'composition')}"},
        "status": "entered-in-error" if in_error else stated,
        "type": kind.concept,
        "subject": subject(version),
        "date": version.kept,
        "author": [software(version)],
        "title": TITLE,
        "section": [
            _section("Result", _summary(version), ["Observation", "RiskAssessment"], version),
            _section("Answers", [_counted(version)], ["QuestionnaireResponse"], version)
            | {"code": coded(LOINC, "74465-6", "Questionnaire response Document")},
        ],
    }


def master_identifier(screening: str) -> Resource:
    """The identifier of the report of one screening."""
    return {"system": URN, "value": f"urn:uuid:{_named(screening, 'document')}"}


def _named(screening: str, what: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{screening} {what} identifier"))


def _number(version: Version) -> int:
    """Its own version: it changes only in what became of the screening."""
    screening = version.screening
    return 1 + (screening.replaced_by is not None) + (screening.entered_in_error is not None)


def _updated(version: Version) -> str:
    """When what it says became so: kept, superseded or entered in error, whichever was last."""
    error, successor = version.screening.entered_in_error, version.successor
    since = [version.screening.created_at]
    since += [error.at] if error else []
    since += [successor.created_at] if successor else []
    return instant(max(since))


def _status(version: Version) -> str:
    screening = version.screening
    if screening.entered_in_error is not None:
        return "entered-in-error"
    return "superseded" if screening.replaced_by else "current"


def _doc_status(version: Version) -> str:
    if version.screening.entered_in_error is not None:
        return "entered-in-error"
    return "amended" if version.corrects else "final"


def _attachment(version: Version, pdf: bytes | None) -> Resource:
    screening = version.screening
    told: Resource = {
        "contentType": PDF,
        "language": "en",
        "title": f"{TITLE} {screening.created_at.date().isoformat()}",
        "creation": version.kept,
    }
    if pdf is None:
        return told | {"url": f"{version.base.url}/Binary/{screening.id}"}
    digest = hashlib.sha1(pdf, usedforsecurity=False).digest()
    content = {"data": pdf, "hash": digest}
    encoded = {name: b64encode(each).decode() for name, each in content.items()}
    return told | {"size": len(pdf)} | encoded


def _format() -> Resource:
    code = "urn:ihe:iti:xds:2017:mimeTypeSufficient"
    return {"system": _FORMAT, "code": code, "display": "mimeType Sufficient"}


def _section(title: str, lines: list[str], kinds: list[str], version: Version) -> Resource:
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return {
        "title": title,
        "text": {"status": "generated", "div": f"<div {_XHTML}>{paragraphs}</div>"},
        "entry": [reference(each, version) for each in kinds],
    }


def _summary(version: Version) -> list[str]:
    """Red flags before everything, then the totals with their bands."""
    assessment, rulebook = version.screening.assessment, version.loaded.rulebook
    lines = [f"{each.tier}: {each.label}. {each.action}" for each in assessment.safety.flags]
    labels = {each.id: each.label for each in rulebook.total}
    bands = {each.id: each.label for each in rulebook.band}
    for name, total in (assessment.totals or {}).items():
        band = f", {bands[total.band]}" if total.band else ""
        lines.append(f"{labels[name]}: {total.points.normalize():f}{band}")
    if assessment.totals is None:
        lines.append(rulebook.wording.withheld if lines else rulebook.wording.out_of_scope)
    return [*lines, NOT_A_DIAGNOSIS]


def _counted(version: Version) -> str:
    count = sum(each is not None for each in version.screening.answers.values())
    return f"{count} of {len(version.loaded.questions)} questions answered"
