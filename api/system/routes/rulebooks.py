"""Rulebooks, open to all: what is asked, what it weighs, why, and on whose authority."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from api.dependencies import Rulebooks, is_known
from api.http.error_responses import refusals
from api.problems import Problem
from schemas.rulebook import Rulebook
from scoring.answer_model import answer_model
from scoring.catalogue import Catalogue, Entry, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

router = APIRouter(prefix="/v1/rulebooks", tags=["rulebooks"])
Instrument = Annotated[str, Path(max_length=40, examples=["phq4"])]
Version = Annotated[str, Path(max_length=14, examples=["1.0.0"])]
Known = Annotated[str | None, Header(alias="If-None-Match", max_length=200)]


class Listed(BaseModel):
    """One version of one instrument, and where it stands."""

    model_config = ConfigDict(frozen=True)

    name: str
    instrument: str
    version: str
    title: str
    status: str
    released_on: date
    approver: str
    sha256: str
    links: dict[str, str]


class ListOfRulebooks(BaseModel):
    """Every rulebook, in the order of the index."""

    model_config = ConfigDict(frozen=True)

    rulebooks: list[Listed]


class PublishedRulebook(Listed, Rulebook):
    """One rulebook, whole: every question, criterion, level, point, discount, flag and source."""

    model_config = ConfigDict(strict=False)


@router.get("", operation_id="list_rulebooks", summary="List the rulebooks")
def list_rulebooks(rulebooks: Rulebooks) -> ListOfRulebooks:
    """Every rulebook with its status, approver and hash."""
    return ListOfRulebooks(
        rulebooks=[Listed(**_listed(rulebooks, entry)) for entry in rulebooks.entries]
    )


@router.get(
    "/{instrument}/{version}",
    operation_id="read_rulebook",
    response_model=PublishedRulebook,
    responses={304: {"description": "Not changed"}, **refusals(404, 422)},
    summary="Read a rulebook",
)
def read_rulebook(
    instrument: Instrument, version: Version, rulebooks: Rulebooks, known: Known = None
) -> Response:
    """The whole reasoning of one version. It never changes, so keep it by its ETag."""
    loaded = _found(rulebooks, instrument, version)
    content = loaded.rulebook.model_dump(mode="json", by_alias=True)
    listed = Listed(**_listed(rulebooks, rulebooks.entry(loaded))).model_dump(mode="json")
    return _kept(loaded, known, JSONResponse(listed | content))


@router.get(
    "/{instrument}/{version}/schema",
    operation_id="read_schema",
    responses={
        200: {
            "description": "A JSON Schema (2020-12)",
            "content": {"application/schema+json": {"schema": {"type": "object"}}},
        },
        304: {"description": "Not changed"},
        **refusals(404, 422),
    },
    response_class=Response,
    summary="Read the JSON Schema of the answers",
)
def read_schema(
    instrument: Instrument, version: Version, rulebooks: Rulebooks, known: Known = None
) -> Response:
    """The JSON Schema of the member `answers`: one property a question."""
    loaded = _found(rulebooks, instrument, version)
    schema = answer_model(loaded.rulebook).model_json_schema()
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
    return _kept(loaded, known, JSONResponse(content, media_type="application/schema+json"))


def _found(rulebooks: Catalogue, instrument: str, version: str) -> LoadedRulebook:
    try:
        return rulebooks.any_status(instrument, version)
    except UnknownRulebookError:
        raise Problem("not_found") from None


def _listed(rulebooks: Catalogue, entry: Entry) -> dict[str, Any]:
    here = f"/v1/rulebooks/{entry.instrument}/{entry.version}"
    loaded = rulebooks.any_status(entry.instrument, entry.version)
    return {
        "name": entry.name,
        "title": loaded.rulebook.rulebook.title,
        **entry.model_dump(exclude={"file"}),
        "links": {"self": here, "schema": f"{here}/schema"},
    }


def _kept(loaded: LoadedRulebook, known: str | None, response: Response) -> Response:
    """The response with its ETag, or 304 where the caller has it already."""
    tag = f'"{loaded.sha256}"'
    headers = {"ETag": tag, "Cache-Control": "public, max-age=3600"}
    if is_known(tag, known):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
