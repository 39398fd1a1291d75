"""Completes FastAPI's OpenAPI document.

Adds the security schemes, the error responses common to all routes, and examples of requests and
responses for each operation.
"""

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.contract.conventions import complete_document, rename_versioned
from api.contract.member_descriptions import describe_members, describe_parameters
from api.contract.operation_examples import OpenApiObject, attach_examples
from api.contract.shared_components import name_intakes, share_components
from api.fhir.http import outcome_responses
from api.http.errors.error_responses import error_responses
from api.problems import ProblemBody
from api.screenings.models import ShortScreening
from schemas.assessments.short_assessment import ShortAssessment

TOKEN_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token, signed with ES256 or ES384, that lives for at most 15 "
    "minutes. A client gets it at `POST /v1/oauth/token` by OAuth 2 client credentials: it "
    "authenticates with its secret, or with an assertion signed by its own key "
    "(`private_key_jwt`). Tokens are verified as RFC8725 advises. Each operation lists the scopes "
    "that it needs.",
}
API_KEY_SCHEME = {
    "type": "apiKey",
    "in": "header",
    "name": "X-API-Key",
    "description": "An API key, for small integrations without OAuth. It expires, has at most the "
    "scopes of its client, and needs the same scope as a token.",
}
EHR_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A token of an EHR (CDS Hooks 2.0): signed with its own key, issued for the URL "
    "that is called, valid for at most five minutes and for one use, and verified as RFC8725 "
    "advises. The operator of the service registers the EHR.",
}

RATE_LIMIT_HEADERS = {
    "RateLimit-Policy": {
        "description": "The quotas of the caller and of its organisation "
        "(draft-ietf-httpapi-ratelimit-headers-11): `q` requests in `w` seconds. In every answer "
        "to an admitted caller, errors included.",
        "schema": {"type": "string"},
        "example": '"client";q=6000;w=60, "organisation";q=30000;w=60',
    },
    "RateLimit": {
        "description": "What is left of each quota: `r` requests, and all of it after `t` seconds.",
        "schema": {"type": "string"},
        "example": '"client";r=5999;t=1, "organisation";r=29999;t=1',
    },
}
_REFERENCE = "#/components/schemas/{model}"


def build_openapi(app: FastAPI) -> OpenApiObject:
    """Return the complete OpenAPI document of the application."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/"}],
    )
    components = document["components"]
    components["securitySchemes"] = {
        "token": TOKEN_SCHEME,
        "api_key": API_KEY_SCHEME,
        "ehr": EHR_SCHEME,
    }
    components["headers"] = dict(RATE_LIMIT_HEADERS)
    for model in (ProblemBody, ShortAssessment, ShortScreening):
        schema = model.model_json_schema(ref_template=_REFERENCE, mode="serialization")
        components["schemas"].update(schema.pop("$defs", {}))
        components["schemas"][model.__name__] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _add_error_responses(operation, fhir=path.startswith("/fhir"))
            _add_rate_limit_headers(operation)
            attach_examples(app, operation)
    complete_document(document)
    describe_members(components["schemas"])
    describe_parameters(document)
    name_intakes(document)
    share_components(document)
    return rename_versioned(document)


def _add_error_responses(operation: OpenApiObject, *, fhir: bool) -> None:
    """Add the errors of every route, and replace FastAPI's own 422 by a problem."""
    responses = operation["responses"]
    statuses = [429, 500]
    if "application/json" in responses.get("422", {}).get("content", {}):
        statuses.append(422)
    errors = outcome_responses(*statuses) if fhir else error_responses(*statuses)
    responses.update({str(status): response for status, response in errors.items()})


def _add_rate_limit_headers(operation: OpenApiObject) -> None:
    """Name the headers in the successes and the 429 of an operation that needs a token."""
    if "security" not in operation:
        return
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in RATE_LIMIT_HEADERS}
    for status, response in operation["responses"].items():
        if status < "400" or status == "429":
            response["headers"] = response.get("headers", {}) | headers
