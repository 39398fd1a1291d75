"""The services: one for each instrument in use, called when a chart is opened."""

from collections.abc import Iterator
from typing import Any

from api.fhir.questionnaire_catalogue import form_id
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook

HOOK = "patient-view"
PREFETCH = {"patient": "Patient/{{context.patientId}}"}


def services(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Every service as discovery tells it."""
    for loaded in in_use(catalogue).values():
        about = loaded.rulebook.rulebook
        yield {
            "hook": HOOK,
            "id": form_id(about.instrument),
            "title": about.title,
            "description": "Tells the red flags and the result of the patient's latest screening, "
            "or that the questionnaire is due. Decision support, not a diagnosis.",
            "usageRequirements": "The Patient must be prefetched: its identifiers are looked up.",
            "prefetch": PREFETCH,
        }


def in_use(catalogue: Catalogue) -> dict[str, LoadedRulebook]:
    """The newest version of each instrument in use, by the id of its service."""
    found = {}
    for entry in catalogue.entries:
        if entry.status == "active":
            found[form_id(entry.instrument)] = catalogue.active(entry.instrument)
    return found
