"""What FHIR routes share: what they take and give, and screenings as versions."""

import json
import re
from typing import Annotated, Any

from fastapi import Body, Depends, Header, Query, Request, Response
from fastapi.routing import APIRoute

from api.deps import Chosen, Rulebooks, is_known
from api.fhir.base import FHIR_JSON, Base, Resource, Version
from api.fhir.document import Kind
from api.fhir.forms import Form, forms
from api.guard import guarded
from api.problems import Problem
from api.refused import refusals
from schemas.screening import Screening
from scoring.catalogue import Catalogue

_CHARSET = r"(\s*;\s*(charset=\"?utf-8\"?|fhirVersion=\"?4\.0\"?))*\s*"
_TAKES = re.compile(rf"application/(fhir\+json|json){_CHARSET}", re.IGNORECASE)
_ACCEPTED = {
    *("*/*", "application/*", "application/json", "text/json"),
    *(FHIR_JSON, "application/json+fhir"),
}
_BEFORE_ALL_ROUTES = 431  # told as everywhere: no address is known yet
_FORMATS = ("json", "application/json", "application/fhir+json")
_OUTCOME: dict[str, Any] = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {"resourceType": {"const": "OperationOutcome"}},
}


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
        json_schema_extra={"enum": list(_FORMATS)},
        description="JSON is what there is.",
        examples=["json"],
    ),
]


async def _in_json(request: Request, asked: _Format = None) -> None:
    """Refuse whoever takes no JSON. `_format` outweighs `Accept`."""
    if asked is not None:
        good = asked.replace(" ", "+").lower() in _FORMATS
    else:
        good = any(map(_is_json, request.headers.get("accept", "*/*").split(",")))
    if not good:
        raise Problem("not_acceptable", "Resources come in application/fhir+json, version 4.0.")


def _is_json(media_range: str) -> bool:
    kind, *given = (part.strip().lower() for part in media_range.split(";"))
    versions = [each for each in given if each.startswith("fhirversion=")]
    four = all(each.partition("=")[2].strip('"') == "4.0" for each in versions)
    return four and kind in _ACCEPTED and "q=0" not in given


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
    meta = resource.get("meta", {})
    if "versionId" in meta:
        headers["ETag"] = f'W/"{meta["versionId"]}"'
        if is_known(f'"{meta["versionId"]}"', known):
            return Response(status_code=304, headers=headers)
    body = json.dumps(resource, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(body, status_code=status, headers=headers, media_type=FHIR_JSON)


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


async def _all_forms(rulebooks: Rulebooks, base: AtBase) -> list[Form]:
    return forms(rulebooks, base)


Forms = Annotated[list[Form], Depends(_all_forms)]
