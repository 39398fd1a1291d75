"""Builds the FHIR transaction bundle of a delivery."""

from typing import NamedTuple

from api.deliveries.compose_request import ComposeContext, ComposeRequest
from api.deliveries.receiver_references import adapt_references, find_unmet_needs
from api.fhir.elements import Resource, ResourceVersion
from api.fhir.resources.bundle import build_transaction_bundle
from api.fhir.resources.document_reference import (
    ReportType,
    build_attachment,
    build_document_reference,
)
from api.fhir.resources.observation import build_observation
from api.fhir.resources.risk_assessment import build_risk_assessment
from api.fhir.versions import build_response_resource
from reports.formats import MEDIA_TYPES
from schemas.organisations.delivery import DestinationMisfit


class ComposedTransaction(NamedTuple):
    """A transaction, and what its receiver needs and does not find in it."""

    bundle: Resource
    misfits: tuple[DestinationMisfit, ...]


def build_transaction(
    context: ComposeContext, request: ComposeRequest, report: bytes | None, url: str
) -> ComposedTransaction:
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
    document = request.profile.document
    media_type = document.media_types.get(document.form, MEDIA_TYPES[document.form])
    for resource in resources:
        if resource["resourceType"] == "DocumentReference":
            attachment = build_attachment(version, media_type, report, url)
            resource["content"][0]["attachment"] = attachment
    resources = adapt_references(version, resources, options)
    misfits = tuple(find_unmet_needs(resources, options))
    bundle = build_transaction_bundle(version, resources)
    if request.event == "withdrawal":
        for entry in bundle["entry"]:
            entry["request"] = _as_conditional_update(entry["request"])
    return ComposedTransaction(bundle, misfits)


def _build_resource(
    name: str, context: ComposeContext, request: ComposeRequest, version: ResourceVersion
) -> Resource:
    match name:
        case "QuestionnaireResponse":
            return build_response_resource(version, context.rulebooks)
        case "Observation":
            return build_observation(version)
        case "RiskAssessment":
            return build_risk_assessment(version)
    document = request.profile.document
    return build_document_reference(version, ReportType(document.code, document.display))


def _as_conditional_update(request: dict[str, str]) -> dict[str, str]:
    """Turn a conditional create into a conditional update."""
    return {"method": "PUT", "url": f"{request['url']}?{request['ifNoneExist']}"}
