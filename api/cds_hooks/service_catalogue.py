"""The catalogue of CDS services, one per instrument with an active rulebook."""

from collections.abc import Iterator
from typing import Any

from api.fhir.questionnaire_catalogue import derive_form_id
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook

HOOK_NAME = "patient-view"
PREFETCH_TEMPLATES = {"patient": "Patient/{{context.patientId}}"}


def list_services(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """List every service in the format of CDS Hooks discovery."""
    for loaded in list_active_rulebooks(catalogue).values():
        header = loaded.rulebook.rulebook
        yield {
            "hook": HOOK_NAME,
            "id": derive_form_id(header.instrument),
            "title": header.title,
            "description": "Shows the red flags and the result of the patient's latest screening, "
            "or that the questionnaire is due. Decision support, not a diagnosis.",
            "usageRequirements": "The Patient must be prefetched, "
            "as its identifiers are used for the lookup.",
            "prefetch": PREFETCH_TEMPLATES,
        }


def list_active_rulebooks(catalogue: Catalogue) -> dict[str, LoadedRulebook]:
    """Return the active rulebook of every instrument, by service id."""
    rulebooks = {}
    for entry in catalogue.entries:
        if entry.status == "active":
            rulebooks[derive_form_id(entry.instrument)] = catalogue.find_active(entry.instrument)
    return rulebooks
