"""Builds the FHIR transaction bundle of a delivery."""

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


def bundle_of(context: House, request: Wanted, report: bytes | None, url: str) -> Resource:
    """Return conditional creates of the profile's resources, or updates for a withdrawal."""
    snapshot, options = request.subject, request.profile.fhir
    loaded = context.rulebook(snapshot)
    version = Version(snapshot.screening, snapshot.first, snapshot.number, loaded, context.base)
    resources = [_build_resource(name, context, request, version) for name in options.resources]
    for resource in resources:
        if resource["resourceType"] == "DocumentReference":
            resource["content"][0]["attachment"] = _build_attachment(request, version, report, url)
    bundle = transaction(version, resources)
    if request.event == "withdrawal":
        for entry in bundle["entry"]:
            entry["request"] = _as_conditional_update(entry["request"])
    return bundle


def _build_resource(name: str, context: House, request: Wanted, version: Version) -> Resource:
    match name:
        case "QuestionnaireResponse":
            fhir = version.screening.context.fhir
            entry = context.rulebooks.entry(version.loaded)
            form = Form(version.loaded, entry, bool(fhir and fhir.for_patient), version.base)
            return questionnaire_response(version, form)
        case "Observation":
            return observation(version)
        case "RiskAssessment":
            return risk_assessment(version)
    document = request.profile.document
    return document_reference(version, Kind(document.code, document.display))


def _build_attachment(
    request: Wanted, version: Version, report: bytes | None, url: str
) -> dict[str, Any]:
    form, media_types = request.profile.document.form, request.profile.document.media_types
    attachment: dict[str, Any] = {
        "contentType": media_types.get(form, MEDIA_TYPES[form]),
        "language": "en",
        "title": f"{TITLE} {version.screening.created_at.date().isoformat()}",
        "creation": version.kept,
    }
    if report is None:
        return attachment | {"url": url}
    digest = hashlib.sha1(report, usedforsecurity=False).digest()
    encoded = {"data": b64encode(report).decode(), "hash": b64encode(digest).decode()}
    return attachment | {"size": len(report)} | encoded


def _as_conditional_update(request: dict[str, str]) -> dict[str, str]:
    """Turn a conditional create into a conditional update."""
    return {"method": "PUT", "url": f"{request['url']}?{request['ifNoneExist']}"}
