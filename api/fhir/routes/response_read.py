"""QuestionnaireResponses go out: read, in every version, and searched."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth.request_context import Acts
from api.dependencies import Acting, Rulebooks
from api.fhir.elements import Resource
from api.fhir.http import (
    NOT_CHANGED,
    AtBase,
    Forms,
    InJson,
    Known,
    ScreeningId,
    VersionNumber,
    fhir_guarded,
    form_of,
    outcomes,
    resources,
    response_of,
    sent,
    version_of,
)
from api.fhir.parsing.response_to_intake import HERE
from api.fhir.search import (
    IN_A_SYSTEM,
    Found,
    Search,
    Searching,
    id_named_by,
    newest_of_each,
    searched,
)
from api.fhir.search_routing import search_routes
from api.http.error_responses import GUARDED
from api.store.screenings.versions import lineage
from api.store.transaction import Transaction
from schemas.patient import READABLE
from schemas.screening import Screening

router = APIRouter(
    prefix=f"/fhir/{HERE}",
    tags=["FHIR"],
    route_class=fhir_guarded("screenings:read"),
    dependencies=[InJson],
)
Identifier = Annotated[
    str | None,
    Query(
        max_length=401,
        pattern=IN_A_SYSTEM,
        description="`system|value`, or `|value` where it has no system.",
        examples=["urn:oid:1.2.3.4|response-1"],
    ),
]
Questionnaire = Annotated[
    str | None,
    Query(
        max_length=400,
        pattern=READABLE,
        description="`url|version` of a questionnaire, or its `url` for every version.",
        examples=["http://127.0.0.1:8000/fhir/Questionnaire/nociplastic|1.0.0"],
    ),
]


@search_routes(
    router,
    "",
    "responses",
    scope="screenings:read",
    summary="Search responses",
)
def search_responses(  # noqa: PLR0913 - as above
    search: Searching,
    *,
    acts: Acting,
    rulebooks: Rulebooks,
    all_forms: Forms,
    base: AtBase,
    identifier: Identifier = None,
    questionnaire: Questionnaire = None,
) -> Response:
    """Newest first, each in its newest version."""

    def tell(found: list[Screening]) -> Resource:
        return response_of(version_of(found, rulebooks, base), rulebooks)

    def _asked_by(found: list[Screening]) -> tuple[str, str]:
        form = form_of(version_of(found, rulebooks, base), rulebooks)
        return form.canonical, form.url

    def find(work: Transaction, asked: Search) -> Found:
        if questionnaire is not None:
            meant = [f for f in all_forms if questionnaire in (f.canonical, f.url)]
            if not meant:
                return Found([], None)
            names = {f.loaded.name for f in meant}
            name = names.pop() if len(names) == 1 else meant[0].entry.instrument
            asked = asked._replace(filters=asked.filters.model_copy(update={"rulebook": name}))
        if identifier is not None:
            system, _, value = identifier.rpartition("|")
            named = id_named_by(work, system or None, value)
            if asked.id not in (None, named):
                return Found([], None)
            asked = asked._replace(id=named)
        found = newest_of_each(work, asked)
        if questionnaire is None:
            return found
        told = [each for each in found.lineages if questionnaire in _asked_by(each)]
        return Found(told, found.next)

    return searched(acts, search, base, HERE, find=find, tell=tell)


@router.get(
    "/{screening}",
    operation_id="read_response",
    response_class=Response,
    responses=resources(HERE) | NOT_CHANGED | outcomes(*GUARDED, 404, 406),
    summary="Read a response",
)
def read_response(
    screening: ScreeningId,
    acts: Acting,
    rulebooks: Rulebooks,
    base: AtBase,
    known: Known = None,
) -> Response:
    """In its newest version, named by the first."""
    version = version_of(_read(acts, screening), rulebooks, base)
    return sent(response_of(version, rulebooks), known=known)


@router.get(
    "/{screening}/_history/{number}",
    operation_id="read_response_version",
    response_class=Response,
    responses=resources(HERE) | NOT_CHANGED | outcomes(*GUARDED, 404, 406),
    summary="Read one version of a response",
)
def read_response_version(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    number: VersionNumber,
    acts: Acting,
    rulebooks: Rulebooks,
    base: AtBase,
    known: Known = None,
) -> Response:
    """A version stays as it was."""
    version = version_of(_read(acts, screening), rulebooks, base, int(number))
    return sent(response_of(version, rulebooks), known=known)


def _read(acts: Acts, screening: str) -> list[Screening]:
    with acts.transaction() as work:
        found = lineage(work, screening)
        work.audit("read", "screening", screening)
    return found
