"""Builds the ConceptMap of an instrument: its questions and the LOINC codes of the same questions.

There is no map to SNOMED CT: no code of a site or a condition could be verified.
"""

from api.fhir.definitions.loinc_codes import LOINC, QUESTION_CODES, LoincCode
from api.fhir.elements import CanonicalUrls, Resource
from scoring.catalogue import Catalogue, CatalogueEntry


def list_concept_maps(catalogue: Catalogue, urls: CanonicalUrls) -> list[Resource]:
    """Return the map of each instrument that has questions with a LOINC code."""
    newest: dict[str, CatalogueEntry] = {}
    for entry in catalogue.entries:
        if entry.status == "draft":
            continue
        latest = newest.get(entry.instrument, entry)
        newest[entry.instrument] = max(
            latest, entry, key=lambda it: it.rulebook_name.version_numbers
        )
    maps = (build_concept_map(catalogue, entry, urls) for entry in newest.values())
    return sorted((it for it in maps if it["group"][0]["element"]), key=lambda it: str(it["id"]))


def build_concept_map(catalogue: Catalogue, entry: CatalogueEntry, urls: CanonicalUrls) -> Resource:
    """Return the map of one instrument, in the version of its newest rulebook."""
    name = f"{entry.instrument}-loinc"
    questions = catalogue.find_version(entry.name).rulebook.question
    elements = [
        {"code": question.id, "display": question.label, "target": [_build_target(code)]}
        for question in questions
        if (code := QUESTION_CODES.get(question.id)) is not None
    ]
    return {
        "resourceType": "ConceptMap",
        "id": name.replace("_", "-"),
        "url": urls.canonical_url(f"ConceptMap/{name}"),
        "version": entry.version,
        "name": name.title().replace("-", "").replace("_", ""),
        "title": f"{entry.instrument}: LOINC codes of questions",
        "status": "active",
        "experimental": False,
        "date": entry.released_on.isoformat(),
        "publisher": "nociscreen",
        "description": "Codes were verified against several published questionnaires, and none "
        "against the LOINC table itself.",
        "group": [
            {
                "source": urls.questionnaire_url(entry.instrument.replace("_", "-")),
                "target": LOINC,
                "element": elements,
            }
        ],
    }


def _build_target(code: LoincCode) -> Resource:
    """Return the target; a code that was not verified is said to be related alone."""
    return {
        "code": code.code,
        "display": code.display,
        "equivalence": "equivalent" if code.is_verified else "relatedto",
        "comment": "verified" if code.is_verified else "not verified: not sent in any resource",
    }
