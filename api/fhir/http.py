"""Shared parts of the FHIR routes: media types, parameters, responses, screening versions."""

import json
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import Body, Depends, Header, Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator

from api.auth.route_guard import require_scope
from api.dependencies import CatalogueDep, SettingsDep, is_etag_match
from api.fhir.elements import FHIR_JSON, ID_PATTERN, CanonicalUrls, Resource, ResourceVersion
from api.fhir.questionnaire_catalogue import QuestionnaireForm, list_questionnaire_forms
from api.fhir.resources.document_reference import ReportType
from api.fhir.resources.questionnaire_response import build_questionnaire_response
from api.http.error_responses import error_responses
from api.http.request_body import BodyMediaType
from api.problems import Problem
from schemas.screening import Screening
from scoring.catalogue import Catalogue

_CHARSET = r"(\s*;\s*(charset=\"?utf-8\"?|fhirVersion=\"?4\.0\"?))*\s*"
_BODY_MEDIA = BodyMediaType(
    f"{FHIR_JSON}` or `application/json",
    re.compile(rf"application/(fhir\+json|json){_CHARSET}", re.IGNORECASE),
)
_ACCEPTED = {
    *("*/*", "application/*", "application/json", "text/json"),
    *(FHIR_JSON, "application/json+fhir"),
}
_HEADERS_TOO_LARGE = 431  # a plain problem: sent before the path is known
_FHIR_VERSION = r"; ?fhirVersion=4\.0"
_FORMATS = ("json", "application/json", "application/fhir+json")
_OUTCOME: dict[str, Any] = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {"resourceType": {"const": "OperationOutcome"}},
}


def _matching(pattern: str) -> AfterValidator:
    """Return a validator that raises Problem `not_found` for an id of another form."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise Problem("not_found")
        return text

    return AfterValidator(check)


ScreeningId = Annotated[
    str,
    Path(
        alias="screening",
        description="The id that the service assigned to the screening.",
        examples=["6f6f6f6f-0000-4000-8000-000000000001"],
    ),
    _matching(r"[0-9a-f-]{36}"),
]
DefinitionId = Annotated[str, _matching(ID_PATTERN)]
VersionNumber = Annotated[str, Path(alias="number", examples=["1"]), _matching(r"[1-9][0-9]{0,8}")]


def guarded_fhir_route(scope: str) -> type[APIRoute]:
    """Return a class of FHIR routes that require this scope."""
    return require_scope(scope, _BODY_MEDIA)


def outcome_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI error responses of a FHIR route, as OperationOutcomes."""
    content = {FHIR_JSON: {"schema": _OUTCOME}}
    return {
        status: response if status == _HEADERS_TOO_LARGE else response | {"content": content}
        for status, response in error_responses(*statuses).items()
    }


def resource_response(resource_type: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI response of a FHIR route that returns this type of resource."""
    schema = {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"const": resource_type}},
    }
    return {status: {"description": resource_type, "content": {FHIR_JSON: {"schema": schema}}}}


NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Not modified"}}


async def _canonical_urls(settings: SettingsDep) -> CanonicalUrls:
    return CanonicalUrls(settings.public_url)


async def _report_type(settings: SettingsDep) -> ReportType:
    return ReportType(settings.report_loinc_code, settings.report_loinc_display)


_Format = Annotated[
    str | None,
    Query(
        alias="_format",
        max_length=60,
        json_schema_extra={
            "pattern": f"^({'|'.join(map(re.escape, _FORMATS))})({_FHIR_VERSION})?$"
        },
        description="The response format; only JSON is supported.",
        examples=["json"],
    ),
]


async def _require_json(request: Request, format_: _Format = None) -> None:
    """Raise Problem `not_acceptable` unless JSON is accepted; `_format` overrides `Accept`."""
    if format_ is not None:
        media_type, *parameters = format_.lower().split(";")
        accepts_json = media_type.replace(" ", "+") in _FORMATS and all(
            map(_is_fhir_version, parameters)
        )
    else:
        accepts_json = any(map(_is_json, request.headers.get("accept", "*/*").split(",")))
    if not accepts_json:
        raise Problem("not_acceptable", "Resources come in application/fhir+json, version 4.0.")


def _is_json(media_range: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in media_range.split(";"))
    return (
        media_type in _ACCEPTED
        and "q=0" not in parameters
        and all(
            _is_fhir_version(parameter)
            for parameter in parameters
            if parameter.startswith("fhirversion=")
        )
    )


def _is_fhir_version(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "fhirversion" and value.strip('" ') == "4.0"


RequireJson = Depends(_require_json)
CanonicalUrlsDep = Annotated[CanonicalUrls, Depends(_canonical_urls)]
ReportTypeDep = Annotated[ReportType, Depends(_report_type)]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", max_length=200, examples=['W/"7"'])
]
ResourceBody = Annotated[
    dict[str, Any],
    Body(
        media_type=FHIR_JSON,
        json_schema_extra={"required": ["resourceType"]},
        description="A resource that answers one of the published questionnaires.",
    ),
]


def send_resource(
    resource: Resource, *, status: int = 200, if_none_match: str | None = None, **headers: str
) -> Response:
    """Return the resource as a response with its version headers, or 304 if `known` matches."""
    headers |= build_version_headers(resource)
    if "ETag" in headers and is_etag_match(headers["ETag"].removeprefix("W/"), if_none_match):
        return Response(status_code=304, headers=headers)
    body = json.dumps(resource, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(body, status_code=status, headers=headers, media_type=FHIR_JSON)


def build_version_headers(resource: Resource) -> dict[str, str]:
    """Return the `ETag` and `Last-Modified` headers from the resource's meta element."""
    meta, headers = resource.get("meta", {}), {}
    if "versionId" in meta:
        headers["ETag"] = f'W/"{meta["versionId"]}"'
    if "lastUpdated" in meta:
        updated_at = datetime.fromisoformat(meta["lastUpdated"]).astimezone(UTC)
        headers["Last-Modified"] = format_datetime(updated_at, usegmt=True)
    return headers


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
    instrument, _, version = screening.assessment.rulebook.partition("@")
    loaded = rulebooks.find_version(instrument, version)
    return ResourceVersion(screening, screening.id, 1, loaded, urls)


def form_of_version(version: ResourceVersion, rulebooks: Catalogue) -> QuestionnaireForm:
    """Return the questionnaire that the screening answers."""
    fhir = version.screening.context.fhir
    entry = rulebooks.find_entry(version.loaded)
    return QuestionnaireForm(version.loaded, entry, bool(fhir and fhir.for_patient), version.urls)


def build_response_resource(version: ResourceVersion, rulebooks: Catalogue) -> Resource:
    """Return the QuestionnaireResponse of this version."""
    return build_questionnaire_response(version, form_of_version(version, rulebooks))


async def _list_forms(rulebooks: CatalogueDep, urls: CanonicalUrlsDep) -> list[QuestionnaireForm]:
    return list_questionnaire_forms(rulebooks, urls)


FormsDep = Annotated[list[QuestionnaireForm], Depends(_list_forms)]
