"""What was computed of a kept response: Observation, RiskAssessment, Provenance."""

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
_TOLD: dict[str, tuple[str, Callable[[Version], Resource]]] = {
    "Observation": ("observation", observation),
    "RiskAssessment": ("risk_assessment", risk_assessment),
    "Provenance": ("provenance", provenance),
}


def _serve(resource_type: str, word: str, tell: Callable[[Version], Resource]) -> None:
    """Put a type of resource in: to be read by the id of its response, and searched."""

    @search_routes(
        router,
        f"/{resource_type}",
        f"{word}s",
        scope="screenings:read",
        summary=f"Search {resource_type}s",
    )
    def search_results(
        search: Searching, acts: Acting, rulebooks: Rulebooks, base: AtBase
    ) -> Response:
        """Newest first, each in its newest version."""

        def told(found: list[Screening]) -> Resource:
            return tell(version_of(found, rulebooks, base))

        return searched(acts, search, base, resource_type, find=newest_of_each, tell=told)

    @router.get(
        f"/{resource_type}/{{screening}}",
        operation_id=f"read_{word}",
        response_class=Response,
        responses=resources(resource_type) | NOT_CHANGED | outcomes(*GUARDED, 404, 406),
        summary=f"Read a {resource_type}",
    )
    def read_result(
        screening: ScreeningId,
        acts: Acting,
        rulebooks: Rulebooks,
        base: AtBase,
        known: Known = None,
    ) -> Response:
        """It has the id of its response. Nothing is scored again."""
        with acts.transaction() as work:
            found = lineage(work, screening)
            work.audit("read", "screening", screening)
        return sent(tell(version_of(found, rulebooks, base)), known=known)


for _type, (_word, _tell) in _TOLD.items():
    _serve(_type, _word, _tell)
