"""Builds the FHIR transaction bundle of a delivery."""

import hashlib
from base64 import b64encode
from typing import Any

from api.deliveries.compose_request import ComposeContext, ComposeRequest
from api.fhir.elements import Resource, ResourceVersion
from api.fhir.questionnaire_catalogue import QuestionnaireForm
from api.fhir.resources.bundle import build_transaction_bundle
from api.fhir.resources.document_reference import TITLE, ReportType, build_document_reference
from api.fhir.resources.observation import build_observation
from api.fhir.resources.questionnaire_response import build_questionnaire_response
from api.fhir.resources.risk_assessment import build_risk_assessment
from reports.formats import MEDIA_TYPES


def build_transaction(
    context: ComposeContext, request: ComposeRequest, report: bytes | None, url: str
) -> Resource:
    """Return conditional creates of the profile's resources, or updates for a withdrawal."""
    snapshot, options = request.snapshot, request.profile.fhir
    loaded = context.find_rulebook(snapshot)
    version = ResourceVersion(
        snapshot.screening,
        snapshot.first_id,
        snapshot.version_number,
        loaded,
        context.canonical_urls,
    )
    resources = [_build_resource(name, context, request, version) for name in options.resources]
    for resource in resources:
        if resource["resourceType"] == "DocumentReference":
            resource["content"][0]["attachment"] = _build_attachment(request, version, report, url)
    bundle = build_transaction_bundle(version, resources)
    if request.event == "withdrawal":
        for entry in bundle["entry"]:
            entry["request"] = _as_conditional_update(entry["request"])
    return bundle


def _build_resource(
    name: str, context: ComposeContext, request: ComposeRequest, version: ResourceVersion
) -> Resource:
    match name:
        case "QuestionnaireResponse":
            fhir = version.screening.context.fhir
            entry = context.rulebooks.find_entry(version.loaded)
            form = QuestionnaireForm(
                version.loaded, entry, bool(fhir and fhir.for_patient), version.urls
            )
            return build_questionnaire_response(version, form)
        case "Observation":
            return build_observation(version)
        case "RiskAssessment":
            return build_risk_assessment(version)
    document = request.profile.document
    return build_document_reference(version, ReportType(document.code, document.display))


def _build_attachment(
    request: ComposeRequest, version: ResourceVersion, report: bytes | None, url: str
) -> dict[str, Any]:
    form, media_types = request.profile.document.form, request.profile.document.media_types
    attachment: dict[str, Any] = {
        "contentType": media_types.get(form, MEDIA_TYPES[form]),
        "language": "en",
        "title": f"{TITLE} {version.screening.created_at.date().isoformat()}",
        "creation": version.stored_at,
    }
    if report is None:
        return attachment | {"url": url}
    digest = hashlib.sha1(report, usedforsecurity=False).digest()
    encoded = {"data": b64encode(report).decode(), "hash": b64encode(digest).decode()}
    return attachment | {"size": len(report)} | encoded


def _as_conditional_update(request: dict[str, str]) -> dict[str, str]:
    """Turn a conditional create into a conditional update."""
    return {"method": "PUT", "url": f"{request['url']}?{request['ifNoneExist']}"}
