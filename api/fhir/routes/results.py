"""Routes that read and search results: Observation, RiskAssessment, DiagnosticReport ..."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.dependencies import CatalogueDep, RequestContextDep
from api.fhir.elements import Resource, ResourceVersion
from api.fhir.http import RequireJson, guarded_fhir_route, read_responses, send_resource
from api.fhir.parameters import CanonicalUrlsDep, IfNoneMatch, ReportTypeDep, ScreeningId
from api.fhir.resources.diagnostic_report import build_diagnostic_report
from api.fhir.resources.observation import build_observation
from api.fhir.resources.provenance import build_provenance
from api.fhir.resources.risk_assessment import build_risk_assessment
from api.fhir.search import SearchSource, build_search_reader, find_lineages, run_search
from api.fhir.search_included import build_included
from api.fhir.search_query import ScreeningSearch
from api.fhir.search_routing import add_search_routes
from api.fhir.versions import build_version, read_version

router = APIRouter(
    prefix="/fhir",
    tags=["FHIR"],
    route_class=guarded_fhir_route("screenings:read"),
    dependencies=[RequireJson],
)
_RESULTS: dict[str, tuple[str, Callable[[ResourceVersion], Resource]]] = {
    "Observation": ("observation", build_observation),
    "RiskAssessment": ("risk_assessment", build_risk_assessment),
    "DiagnosticReport": ("diagnostic_report", build_diagnostic_report),
    "Provenance": ("provenance", build_provenance),
}


def _add_routes(
    resource_type: str, word: str, build_resource: Callable[[ResourceVersion], Resource]
) -> None:
    """Add the routes that search a type of resource and read one by its screening id."""
    read_search = build_search_reader(resource_type)
    article = "an" if resource_type[0] in "AEIOU" else "a"

    @add_search_routes(
        router,
        f"/{resource_type}",
        f"{word}s",
        scope="screenings:read",
        summary=f"Search {resource_type}s",
    )
    def search_results(
        search: Annotated[ScreeningSearch, Depends(read_search)],
        context: RequestContextDep,
        rulebooks: CatalogueDep,
        urls: CanonicalUrlsDep,
        report_type: ReportTypeDep,
    ) -> Response:
        """Return the newest version of each matching resource, newest first."""
        included = build_included(rulebooks, urls, report_type)
        return run_search(
            context,
            search,
            urls,
            SearchSource(
                find_lineages,
                lambda lineage: build_resource(build_version(lineage, rulebooks, urls)),
                included,
            ),
        )

    @router.get(
        f"/{resource_type}/{{screening}}",
        operation_id=f"read_{word}",
        response_class=Response,
        responses=read_responses(resource_type),
        summary=f"Read {article} {resource_type}",
    )
    def read_result(
        screening: ScreeningId,
        context: RequestContextDep,
        rulebooks: CatalogueDep,
        urls: CanonicalUrlsDep,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Return the stored result. Its id is that of the QuestionnaireResponse."""
        version = read_version(context, rulebooks, urls, screening)
        return send_resource(build_resource(version), if_none_match=if_none_match)


for _resource_type, (_word, _builder) in _RESULTS.items():
    _add_routes(_resource_type, _word, _builder)
