"""Routes that read and search results: Observation, RiskAssessment and Provenance."""

from collections.abc import Callable

from fastapi import APIRouter, Response

from api.dependencies import Acting, Rulebooks
from api.fhir.elements import Resource, Version
from api.fhir.http import (
    NOT_CHANGED,
    AtBase,
    InJson,
    Known,
    ScreeningId,
    fhir_guarded,
    outcomes,
    resources,
    sent,
    version_of,
)
from api.fhir.resources.observation import observation
from api.fhir.resources.provenance import provenance
from api.fhir.resources.risk_assessment import risk_assessment
from api.fhir.search import Searching, newest_of_each, searched
from api.fhir.search_routing import search_routes
from api.http.error_responses import GUARDED
from api.store.screenings.versions import lineage
from schemas.screening import Screening

router = APIRouter(
    prefix="/fhir",
    tags=["FHIR"],
    route_class=fhir_guarded("screenings:read"),
    dependencies=[InJson],
)
_RESULTS: dict[str, tuple[str, Callable[[Version], Resource]]] = {
    "Observation": ("observation", observation),
    "RiskAssessment": ("risk_assessment", risk_assessment),
    "Provenance": ("provenance", provenance),
}


def _add_routes(
    resource_type: str, word: str, build_resource: Callable[[Version], Resource]
) -> None:
    """Add the routes that search a type of resource and read one by its screening id."""

    @search_routes(
        router,
        f"/{resource_type}",
        f"{word}s",
        scope="screenings:read",
        summary=f"Search {resource_type}s",
    )
    def search_results(
        search: Searching, context: Acting, rulebooks: Rulebooks, urls: AtBase
    ) -> Response:
        """Return the newest version of each, newest first."""

        def tell(versions: list[Screening]) -> Resource:
            return build_resource(version_of(versions, rulebooks, urls))

        return searched(context, search, urls, resource_type, find=newest_of_each, tell=tell)

    @router.get(
        f"/{resource_type}/{{screening}}",
        operation_id=f"read_{word}",
        response_class=Response,
        responses=resources(resource_type) | NOT_CHANGED | outcomes(*GUARDED, 404, 406),
        summary=f"Read a {resource_type}",
    )
    def read_result(
        screening: ScreeningId,
        context: Acting,
        rulebooks: Rulebooks,
        urls: AtBase,
        if_none_match: Known = None,
    ) -> Response:
        """Return the stored result. Its id is that of the QuestionnaireResponse."""
        with context.transaction() as work:
            versions = lineage(work, screening)
            work.audit("read", "screening", screening)
        return sent(build_resource(version_of(versions, rulebooks, urls)), known=if_none_match)


for _resource_type, (_word, _builder) in _RESULTS.items():
    _add_routes(_resource_type, _word, _builder)
