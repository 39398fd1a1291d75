"""Builds the resources that a search includes in addition to its matches."""

from collections.abc import Callable

from api.fhir.elements import CanonicalUrls, Resource
from api.fhir.resources.diagnostic_report import build_diagnostic_report
from api.fhir.resources.document_reference import ReportType, build_document_reference
from api.fhir.resources.observation import build_observation
from api.fhir.resources.provenance import build_provenance
from api.fhir.resources.risk_assessment import build_risk_assessment
from api.fhir.versions import build_response_resource, build_single_version, build_version
from schemas.patients.screening import Screening
from scoring.catalogue import Catalogue


def build_included(
    rulebooks: Catalogue, urls: CanonicalUrls, report_type: ReportType
) -> Callable[[str, list[Screening]], Resource]:
    """Return what builds a resource of a type from the versions of a screening."""

    def build(resource_type: str, lineage: list[Screening]) -> Resource:
        version = build_version(lineage, rulebooks, urls)
        match resource_type:
            case "QuestionnaireResponse":
                return build_response_resource(version, rulebooks)
            case "Observation":
                return build_observation(version)
            case "DiagnosticReport":
                return build_diagnostic_report(version)
            case "RiskAssessment":
                return build_risk_assessment(version)
            case "Provenance":
                return build_provenance(version)
        newest = build_single_version(lineage[-1], rulebooks, urls)
        return build_document_reference(newest._replace(logical_id=lineage[0].id), report_type)

    return build
