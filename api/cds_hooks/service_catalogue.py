"""The catalogue of CDS services, one per instrument with an active rulebook."""

from collections.abc import Iterator
from typing import Any

from api.fhir.questionnaire_catalogue import form_id
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook

HOOK = "patient-view"
PREFETCH = {"patient": "Patient/{{context.patientId}}"}


def services(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """List every service in the format of CDS Hooks discovery."""
    for loaded in in_use(catalogue).values():
        header = loaded.rulebook.rulebook
        yield {
            "hook": HOOK,
            "id": form_id(header.instrument),
            "title": header.title,
            "description": "Tells the red flags and the result of the patient's latest screening, "
            "or that the questionnaire is due. Decision support, not a diagnosis.",
            "usageRequirements": "The Patient must be prefetched: its identifiers are looked up.",
            "prefetch": PREFETCH,
        }


def in_use(catalogue: Catalogue) -> dict[str, LoadedRulebook]:
    """Return the active rulebook of every instrument, by service id."""
    rulebooks = {}
    for entry in catalogue.entries:
        if entry.status == "active":
            rulebooks[form_id(entry.instrument)] = catalogue.active(entry.instrument)
    return rulebooks
