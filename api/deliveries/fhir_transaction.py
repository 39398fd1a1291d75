"""Resources: a screening as the transaction that a FHIR server is pushed."""

import hashlib
from base64 import b64encode
from typing import Any

from api.deliveries.compose_request import House, Wanted
from api.fhir.elements import Resource, Version
from api.fhir.questionnaire_catalogue import Form
from api.fhir.resources.bundle import transaction
from api.fhir.resources.document_reference import TITLE, Kind, document_reference
from api.fhir.resources.observation import observation
from api.fhir.resources.questionnaire_response import questionnaire_response
from api.fhir.resources.risk_assessment import risk_assessment
from reports.formats import MEDIA_TYPES


def bundle_of(house: House, wanted: Wanted, report: bytes | None, url: str) -> Resource:
    """A transaction that makes each resource once; of a withdrawal, one that updates each."""
    subject, options = wanted.subject, wanted.profile.fhir
    loaded = house.rulebook(subject)
    version = Version(subject.screening, subject.first, subject.number, loaded, house.base)
    made = [_resource(name, house, wanted, version) for name in options.resources]
    for each in made:
        if each["resourceType"] == "DocumentReference":
            each["content"][0]["attachment"] = _attachment(wanted, version, report, url)
    bundle = transaction(version, made)
    if wanted.event == "withdrawal":
        for entry in bundle["entry"]:
            entry["request"] = _updating(entry["request"])
    return bundle


def _resource(name: str, house: House, wanted: Wanted, version: Version) -> Resource:
    match name:
        case "QuestionnaireResponse":
            fhir = version.screening.context.fhir
            entry = house.rulebooks.entry(version.loaded)
            form = Form(version.loaded, entry, bool(fhir and fhir.for_patient), version.base)
            return questionnaire_response(version, form)
        case "Observation":
            return observation(version)
        case "RiskAssessment":
            return risk_assessment(version)
    document = wanted.profile.document
    return document_reference(version, Kind(document.code, document.display))


def _attachment(wanted: Wanted, version: Version, report: bytes | None, url: str) -> dict[str, Any]:
    """The report itself, or where it is."""
    form, own = wanted.profile.document.form, wanted.profile.document.media_types
    told: dict[str, Any] = {
        "contentType": own.get(form, MEDIA_TYPES[form]),
        "language": "en",
        "title": f"{TITLE} {version.screening.created_at.date().isoformat()}",
        "creation": version.kept,
    }
    if report is None:
        return told | {"url": url}
    digest = hashlib.sha1(report, usedforsecurity=False).digest()
    encoded = {"data": b64encode(report).decode(), "hash": b64encode(digest).decode()}
    return told | {"size": len(report)} | encoded


def _updating(request: dict[str, str]) -> dict[str, str]:
    """The request that changes what was made by this condition."""
    return {"method": "PUT", "url": f"{request['url']}?{request['ifNoneExist']}"}
