"""Routes that read and search QuestionnaireResponses and their versions."""

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
        description="`system|value`, or `|value` for an identifier without a system.",
        examples=["urn:oid:1.2.3.4|response-1"],
    ),
]
Questionnaire = Annotated[
    str | None,
    Query(
        max_length=400,
        pattern=READABLE,
        description="`url|version` of a questionnaire, or its `url` for all versions.",
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
def search_responses(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    search: Searching,
    *,
    context: Acting,
    rulebooks: Rulebooks,
    all_forms: Forms,
    urls: AtBase,
    identifier: Identifier = None,
    questionnaire: Questionnaire = None,
) -> Response:
    """Return the newest version of each, newest first."""

    def tell(versions: list[Screening]) -> Resource:
        return response_of(version_of(versions, rulebooks, urls), rulebooks)

    def has_questionnaire(versions: list[Screening]) -> bool:
        form = form_of(version_of(versions, rulebooks, urls), rulebooks)
        return questionnaire in (form.canonical, form.url)

    def find(work: Transaction, search: Search) -> Found:
        if questionnaire is not None:
            matching = [form for form in all_forms if questionnaire in (form.canonical, form.url)]
            if not matching:
                return Found([], None)
            names = {form.loaded.name for form in matching}
            name = names.pop() if len(names) == 1 else matching[0].entry.instrument
            filters = search.filters.model_copy(update={"rulebook": name})
            search = search._replace(filters=filters)
        if identifier is not None:
            system, _, value = identifier.rpartition("|")
            screening_id = id_named_by(work, system or None, value)
            if search.id not in (None, screening_id):
                return Found([], None)
            search = search._replace(id=screening_id)
        results = newest_of_each(work, search)
        if questionnaire is None:
            return results
        return Found(list(filter(has_questionnaire, results.lineages)), results.next)

    return searched(context, search, urls, HERE, find=find, tell=tell)


@router.get(
    "/{screening}",
    operation_id="read_response",
    response_class=Response,
    responses=resources(HERE) | NOT_CHANGED | outcomes(*GUARDED, 404, 406),
    summary="Read a response",
)
def read_response(
    screening: ScreeningId,
    context: Acting,
    rulebooks: Rulebooks,
    urls: AtBase,
    if_none_match: Known = None,
) -> Response:
    """Return the newest version. The id is that of the first version."""
    version = version_of(_read_lineage(context, screening), rulebooks, urls)
    return sent(response_of(version, rulebooks), known=if_none_match)


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
    context: Acting,
    rulebooks: Rulebooks,
    urls: AtBase,
    if_none_match: Known = None,
) -> Response:
    """Return one version. Versions never change."""
    version = version_of(_read_lineage(context, screening), rulebooks, urls, int(number))
    return sent(response_of(version, rulebooks), known=if_none_match)


def _read_lineage(context: Acts, screening: str) -> list[Screening]:
    with context.transaction() as work:
        versions = lineage(work, screening)
        work.audit("read", "screening", screening)
    return versions
