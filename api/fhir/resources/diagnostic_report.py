"""Builds a DiagnosticReport: the results of one screening, with the address of their report."""

from api.fhir.elements import (
    TERMINOLOGY_BASE,
    Resource,
    ResourceVersion,
    begin_resource,
    build_concept,
    build_patient_reference,
    build_reference,
    build_resource_identifier,
    build_result_concept,
)
from api.fhir.links import build_encounter, find_target_type, list_authors, list_orders
from api.fhir.resources.document_reference import PDF, build_attachment
from api.fhir.resources.observation import NOT_A_DIAGNOSIS, find_main_total, result_status

_CATEGORY = f"{TERMINOLOGY_BASE}/v2-0074"
_PERFORMERS = {"Practitioner", "PractitionerRole", "Organization", "CareTeam"}
"""The types that R4 allows in `performer`: no patient, and no software."""


def build_diagnostic_report(version: ResourceVersion) -> Resource:
    """Return the DiagnosticReport; its PDF is a Binary, which needs the scope of reports."""
    title = version.loaded.rulebook.rulebook.title
    url = f"{version.urls.fhir_url}/Binary/{version.screening.id}"
    orders = list_orders(version)
    performers = [it for it in list_authors(version) if find_target_type(it) in _PERFORMERS]
    return begin_resource("DiagnosticReport", version) | {
        "identifier": [build_resource_identifier(version, "DiagnosticReport")],
        **({"basedOn": orders} if orders else {}),
        "status": result_status(version),
        "category": [build_concept(_CATEGORY, "OTH", "Other")],
        "code": build_result_concept(version, find_main_total(version).id, title),
        "subject": build_patient_reference(version),
        **build_encounter(version),
        "effectiveDateTime": version.answered_at,
        "issued": version.stored_at,
        **({"performer": performers} if performers else {}),
        "result": [build_reference("Observation", version)],
        "conclusion": NOT_A_DIAGNOSIS,
        "presentedForm": [build_attachment(version, PDF, None, url)],
    }
