"""What FHIR routes share: what they take and give, and screenings as versions."""

import json
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import Body, Depends, Header, Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator

from api.auth.route_guard import guarded
from api.dependencies import Chosen, Rulebooks, is_known
from api.fhir.elements import FHIR_JSON, ID, Base, Resource, Version
from api.fhir.questionnaire_catalogue import Form, forms
from api.fhir.resources.document_reference import Kind
from api.fhir.resources.questionnaire_response import questionnaire_response
from api.http.error_responses import refusals
from api.http.request_body import Media
from api.problems import Problem
from schemas.screening import Screening
from scoring.catalogue import Catalogue

_CHARSET = r"(\s*;\s*(charset=\"?utf-8\"?|fhirVersion=\"?4\.0\"?))*\s*"
_TAKES = Media(
    f"{FHIR_JSON}` or `application/json",
    re.compile(rf"application/(fhir\+json|json){_CHARSET}", re.IGNORECASE),
)
_ACCEPTED = {
    *("*/*", "application/*", "application/json", "text/json"),
    *(FHIR_JSON, "application/json+fhir"),
}
_BEFORE_ALL_ROUTES = 431  # told as everywhere: no address is known yet
_FOUR = r"; ?fhirVersion=4\.0"
_FORMATS = ("json", "application/json", "application/fhir+json")
_OUTCOME: dict[str, Any] = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {"resourceType": {"const": "OperationOutcome"}},
}


def _or_nothing(form: str) -> AfterValidator:
    """What stands in an address and is no such name names nothing: Problem `not_found`."""

    def known(text: str) -> str:
        if not re.fullmatch(form, text):
            raise Problem("not_found")
        return text

    return AfterValidator(known)


ScreeningId = Annotated[
    str,
    Path(
        alias="screening",
        description="The id that keeping it gave.",
        examples=["6f6f6f6f-0000-4000-8000-000000000001"],
    ),
    _or_nothing(r"[0-9a-f-]{36}"),
]
DefinedId = Annotated[str, _or_nothing(ID)]
VersionNumber = Annotated[
    str, Path(alias="number", examples=["1"]), _or_nothing(r"[1-9][0-9]{0,8}")
]


def fhir_guarded(scope: str) -> type[APIRoute]:
    """A class of FHIR routes whose callers need this scope."""
    return guarded(scope, _TAKES)


def outcomes(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a FHIR route for what it refuses, for the API's description."""
    told = {FHIR_JSON: {"schema": _OUTCOME}}
    return {
        status: each if status == _BEFORE_ALL_ROUTES else each | {"content": told}
        for status, each in refusals(*statuses).items()
    }


def resources(resource_type: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The response of a FHIR route that answers by a resource of this type."""
    schema = {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"const": resource_type}},
    }
    return {status: {"description": resource_type, "content": {FHIR_JSON: {"schema": schema}}}}


NOT_CHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Not changed"}}


async def _base(settings: Chosen) -> Base:
    return Base(settings.public_url)


async def _kind(settings: Chosen) -> Kind:
    return Kind(settings.report_loinc_code, settings.report_loinc_display)


_Format = Annotated[
    str | None,
    Query(
        alias="_format",
        max_length=60,
        json_schema_extra={"pattern": f"^({'|'.join(map(re.escape, _FORMATS))})({_FOUR})?$"},
        description="JSON is what there is.",
        examples=["json"],
    ),
]


async def _in_json(request: Request, asked: _Format = None) -> None:
    """Refuse whoever takes no JSON. `_format` outweighs `Accept`."""
    if asked is not None:
        kind, *given = asked.lower().split(";")
        good = kind.replace(" ", "+") in _FORMATS and all(map(_is_four, given))
    else:
        good = any(map(_is_json, request.headers.get("accept", "*/*").split(",")))
    if not good:
        raise Problem("not_acceptable", "Resources come in application/fhir+json, version 4.0.")


def _is_json(media_range: str) -> bool:
    kind, *given = (part.strip().lower() for part in media_range.split(";"))
    four = all(_is_four(each) for each in given if each.startswith("fhirversion="))
    return four and kind in _ACCEPTED and "q=0" not in given


def _is_four(given: str) -> bool:
    name, _, value = given.partition("=")
    return name.strip() == "fhirversion" and value.strip('" ') == "4.0"


InJson = Depends(_in_json)
AtBase = Annotated[Base, Depends(_base)]
Filed = Annotated[Kind, Depends(_kind)]
Known = Annotated[str | None, Header(alias="If-None-Match", max_length=200, examples=['W/"7"'])]
ResourceIn = Annotated[
    dict[str, Any],
    Body(
        media_type=FHIR_JSON,
        json_schema_extra={"required": ["resourceType"]},
        description="A resource; see the questionnaires that are published.",
    ),
]


def sent(
    resource: Resource, *, status: int = 200, known: str | None = None, **headers: str
) -> Response:
    """The resource as a response, with its version; 304 where the caller has it already."""
    headers |= version_headers(resource)
    if "ETag" in headers and is_known(headers["ETag"].removeprefix("W/"), known):
        return Response(status_code=304, headers=headers)
    body = json.dumps(resource, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(body, status_code=status, headers=headers, media_type=FHIR_JSON)


def version_headers(resource: Resource) -> dict[str, str]:
    """Which version of the resource this is, and since when it is so."""
    meta, told_ = resource.get("meta", {}), {}
    if "versionId" in meta:
        told_["ETag"] = f'W/"{meta["versionId"]}"'
    if "lastUpdated" in meta:
        since = datetime.fromisoformat(meta["lastUpdated"]).astimezone(UTC)
        told_["Last-Modified"] = format_datetime(since, usegmt=True)
    return told_


def version_of(
    found: list[Screening], rulebooks: Catalogue, base: Base, number: int | None = None
) -> Version:
    """A version of a lineage: the newest, or the one of this number.

    Raises Problem `not_found` where there is no such version.
    """
    in_error = found[-1].entered_in_error is not None
    last = len(found) + in_error
    number = last if number is None else number
    if not 1 <= number <= last:
        raise Problem("not_found")
    screening = found[min(number, len(found)) - 1]
    if number == len(found) and in_error:
        screening = screening.model_copy(update={"entered_in_error": None})
    return told(screening, rulebooks, base)._replace(first=found[0].id, number=number)


def told(screening: Screening, rulebooks: Catalogue, base: Base) -> Version:
    """A screening on its own."""
    instrument, _, version = screening.assessment.rulebook.partition("@")
    loaded = rulebooks.any_status(instrument, version)
    return Version(screening, screening.id, 1, loaded, base)


def form_of(version: Version, rulebooks: Catalogue) -> Form:
    """The questionnaire that the screening answers."""
    fhir = version.screening.context.fhir
    entry = rulebooks.entry(version.loaded)
    return Form(version.loaded, entry, bool(fhir and fhir.for_patient), version.base)


def response_of(version: Version, rulebooks: Catalogue) -> Resource:
    """The QuestionnaireResponse of this version."""
    return questionnaire_response(version, form_of(version, rulebooks))


async def _all_forms(rulebooks: Rulebooks, base: AtBase) -> list[Form]:
    return forms(rulebooks, base)


Forms = Annotated[list[Form], Depends(_all_forms)]
