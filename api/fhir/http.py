"""Media types and responses of the FHIR routes."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from fastapi.routing import APIRoute

from api.auth.route_guard import require_scope
from api.fhir.elements import FHIR_JSON, JSON_PATCH, Resource
from api.http.bodies.request_body import BodyMediaType
from api.http.content_negotiation import negotiate_media_type
from api.http.errors.error_responses import GUARDED_ERRORS, error_responses
from api.http.preconditions import is_etag_match
from api.problems import Problem
from schemas.base import encode_json

_CHARSET = r"(\s*;\s*(charset=\"?utf-8\"?|fhirVersion=\"?4\.0\"?))*\s*"
_BODY_MEDIA = BodyMediaType(
    f"{FHIR_JSON}` or `application/json",
    re.compile(rf"application/(fhir\+json|json){_CHARSET}", re.IGNORECASE),
)
_OFFERED_MEDIA_TYPES = (f"{FHIR_JSON}; fhirVersion=4.0",)
_ALIASES = dict.fromkeys(("application/json", "text/json", "application/json+fhir"), FHIR_JSON)
_BUNDLE_SIZE_FACTOR = 8
_HEADERS_TOO_LARGE = 431  # a plain problem: sent before the path is known
_FHIR_VERSION = r"; ?fhirVersion=4\.0"
_FORMATS = ("json", "application/json", "application/fhir+json")
_OUTCOME: dict[str, Any] = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {
            "type": "array",
            "description": "What went wrong, and where.",
            "items": {"type": "object", "additionalProperties": True},
        },
    },
}


def guarded_fhir_route(scope: str) -> type[APIRoute]:
    """Return a class of FHIR routes that require this scope."""
    return require_scope(scope, _BODY_MEDIA)


def guarded_patch_route(scope: str) -> type[APIRoute]:
    """Return a class of FHIR routes that take a JSON Patch and require this scope."""
    return require_scope(scope, BodyMediaType(JSON_PATCH, re.compile(re.escape(JSON_PATCH))))


def guarded_bundle_route() -> type[APIRoute]:
    """Return a class of FHIR routes whose bundles are authorised entry by entry."""
    return require_scope(None, _BODY_MEDIA, _BUNDLE_SIZE_FACTOR)


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


def read_responses(resource_type: str) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a guarded read of one resource."""
    return (
        resource_response(resource_type)
        | NOT_MODIFIED
        | outcome_responses(*GUARDED_ERRORS, 404, 406)
    )


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
        accept = request.headers.get("accept")
        accepts_json = negotiate_media_type(accept, _OFFERED_MEDIA_TYPES, _ALIASES) is not None
    if not accepts_json:
        raise Problem(
            "not_acceptable", "Resources are available as application/fhir+json, version 4.0."
        )


def _is_fhir_version(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "fhirversion" and value.strip('" ') == "4.0"


RequireJson = Depends(_require_json)


def send_resource(
    resource: Resource, *, status: int = 200, if_none_match: str | None = None, **headers: str
) -> Response:
    """Return the resource as a response with its version headers, or 304 if its ETag matches."""
    headers |= build_version_headers(resource)
    if "ETag" in headers and is_etag_match(headers["ETag"].removeprefix("W/"), if_none_match):
        return Response(status_code=304, headers=headers)
    body = encode_json(resource)
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
