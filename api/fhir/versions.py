"""Reads stored screenings as versions of FHIR resources."""

from api.auth.request_context import RequestContext
from api.fhir.elements import CanonicalUrls, Resource, ResourceVersion
from api.fhir.questionnaire_catalogue import QuestionnaireForm
from api.fhir.resources.questionnaire_response import build_questionnaire_response
from api.problems import Problem
from api.store.screenings.versions import list_versions
from schemas.screening import Screening
from scoring.catalogue import Catalogue


def read_version(
    context: RequestContext,
    rulebooks: Catalogue,
    urls: CanonicalUrls,
    first: str,
    number: int | None = None,
) -> ResourceVersion:
    """Return the newest version of a screening, or the one with this number; audit the read.

    `first` is the id of the original screening. Raises Problem `not_found` if there is no such
    version.
    """
    with context.transaction() as work:
        lineage = list_versions(work, first)
        work.audit("read", "screening", first)
    return build_version(lineage, rulebooks, urls, number)


def build_version(
    screenings: list[Screening],
    rulebooks: Catalogue,
    urls: CanonicalUrls,
    number: int | None = None,
) -> ResourceVersion:
    """Return a version of a lineage: the newest, or the one with this number.

    `screenings` are the lineage, oldest first. Raises Problem `not_found` if there is no such
    version.
    """
    in_error = screenings[-1].entered_in_error is not None
    newest = len(screenings) + in_error
    number = newest if number is None else number
    if not 1 <= number <= newest:
        raise Problem("not_found")
    screening = screenings[min(number, len(screenings)) - 1]
    if number == len(screenings) and in_error:
        screening = screening.model_copy(update={"entered_in_error": None})
    version = build_single_version(screening, rulebooks, urls)
    return version._replace(logical_id=screenings[0].id, number=number)


def build_single_version(
    screening: Screening, rulebooks: Catalogue, urls: CanonicalUrls
) -> ResourceVersion:
    """Return a screening as the only version of its resources."""
    loaded = rulebooks.find_version(screening.assessment.rulebook)
    return ResourceVersion(screening, screening.id, 1, loaded, urls)


def form_of_version(version: ResourceVersion, rulebooks: Catalogue) -> QuestionnaireForm:
    """Return the questionnaire that the screening answers."""
    fhir = version.screening.context.fhir
    entry = rulebooks.find_entry(version.loaded)
    return QuestionnaireForm(version.loaded, entry, bool(fhir and fhir.for_patient), version.urls)


def build_response_resource(version: ResourceVersion, rulebooks: Catalogue) -> Resource:
    """Return the QuestionnaireResponse of this version."""
    return build_questionnaire_response(version, form_of_version(version, rulebooks))
