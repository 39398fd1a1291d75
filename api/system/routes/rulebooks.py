"""Public routes to read rulebooks: questions, weights, rationale and citations."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.dependencies import CatalogueDep
from api.http.errors.error_responses import error_responses
from api.http.preconditions import is_etag_match
from api.http.public_route import PublicRoute
from api.problems import Problem
from schemas.rulebooks.rulebook import Rulebook
from schemas.rulebooks.rulebook_name import RulebookName
from scoring.answer_model import find_answer_model
from scoring.catalogue import Catalogue, CatalogueEntry, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

router = APIRouter(prefix="/v1/rulebooks", tags=["rulebooks"], route_class=PublicRoute)
Instrument = Annotated[str, Path(max_length=40, examples=["phq4"])]
Version = Annotated[str, Path(max_length=14, examples=["1.0.0"])]
_IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=200)]


class RulebookSummary(BaseModel, frozen=True):
    """One rulebook in the list, with its status.

    `new_links` is false for a version that stays answerable but that new links do not use, because
    a newer one is active.
    """

    name: str
    instrument: str
    version: str
    title: str
    status: str
    new_links: bool
    released_on: date
    approver: str
    sha256: str
    links: dict[str, str]


class RulebookList(BaseModel, frozen=True):
    """Every rulebook, in catalogue order."""

    rulebooks: list[RulebookSummary]


class PublishedRulebook(RulebookSummary, Rulebook, strict=False):
    """One complete rulebook: questions, criteria, points, discounts, red flags and citations."""


@router.get("", operation_id="list_rulebooks", summary="List the rulebooks")
def list_rulebooks(rulebooks: CatalogueDep) -> RulebookList:
    """Return every rulebook with its status, approver and hash."""
    return RulebookList(rulebooks=[_summarise(rulebooks, entry) for entry in rulebooks.entries])


@router.get(
    "/{instrument}/{version}",
    operation_id="read_rulebook",
    response_model=PublishedRulebook,
    responses={304: {"description": "Not changed"}, **error_responses(404, 422)},
    summary="Read a rulebook",
)
def read_rulebook(
    instrument: Instrument,
    version: Version,
    rulebooks: CatalogueDep,
    if_none_match: _IfNoneMatch = None,
) -> Response:
    """Return one complete rulebook. It never changes, so cache it by its ETag."""
    loaded = _find(rulebooks, instrument, version)
    content = loaded.rulebook.model_dump(mode="json", by_alias=True)
    summary = _summarise(rulebooks, rulebooks.find_entry(loaded))
    body = summary.model_dump(mode="json") | content
    return _with_etag(loaded, if_none_match, JSONResponse(body))


@router.get(
    "/{instrument}/{version}/schema",
    operation_id="read_schema",
    responses={
        200: {
            "description": "A JSON Schema (2020-12)",
            "content": {"application/schema+json": {"schema": {"type": "object"}}},
        },
        304: {"description": "Not changed"},
        **error_responses(404, 422),
    },
    response_class=Response,
    summary="Read the JSON Schema of the answers",
)
def read_schema(
    instrument: Instrument,
    version: Version,
    rulebooks: CatalogueDep,
    if_none_match: _IfNoneMatch = None,
) -> Response:
    """Return the JSON Schema of the member `answers`: one property for each question."""
    loaded = _find(rulebooks, instrument, version)
    schema = find_answer_model(loaded).model_json_schema()
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
    response = JSONResponse(content, media_type="application/schema+json")
    return _with_etag(loaded, if_none_match, response)


def _find(rulebooks: Catalogue, instrument: str, version: str) -> LoadedRulebook:
    try:
        return rulebooks.find_version(str(RulebookName(instrument, version)))
    except UnknownRulebookError:
        raise Problem("not_found") from None


def _summarise(rulebooks: Catalogue, entry: CatalogueEntry) -> RulebookSummary:
    url = f"/v1/rulebooks/{entry.instrument}/{entry.version}"
    loaded = rulebooks.find_version(entry.name)
    return RulebookSummary(
        name=entry.name,
        title=loaded.rulebook.rulebook.title,
        **entry.model_dump(exclude={"file"}),
        new_links=loaded in rulebooks.list_current(),
        links={"self": url, "schema": f"{url}/schema"},
    )


def _with_etag(loaded: LoadedRulebook, if_none_match: str | None, response: Response) -> Response:
    """Return the response with its ETag, or 304 if the caller has this version already."""
    tag = f'"{loaded.sha256}"'
    headers = {"ETag": tag, "Cache-Control": "public, max-age=3600"}
    if is_etag_match(tag, if_none_match):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
