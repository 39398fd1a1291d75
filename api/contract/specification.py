"""The API's description (OpenAPI): what the framework derives, made true and complete.

Adds how callers prove themselves, the responses that every route can give, and for each operation
examples of what is sent and answered.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.contract.operation_examples import exemplify
from api.fhir.http import outcomes
from api.http.error_responses import refusals
from api.problems import ProblemBody

Document = dict[str, Any]
TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token, signed with ES256 or ES384, that lives for at most 15 "
    "minutes. A client gets it at `POST /v1/oauth/token` by OAuth 2 client credentials: it proves "
    "itself by its secret, or by an assertion signed with its own key (`private_key_jwt`). The "
    "scopes that an operation needs are listed with it.",
}
API_KEY = {
    "type": "apiKey",
    "in": "header",
    "name": "X-API-Key",
    "description": "An API key, for small users who do not sign in. It expires, may do no more "
    "than its client, and needs the same scope as a token.",
}
EHR = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A token of an EHR (CDS Hooks 2.0): signed with its own key, for the address "
    "that is called, for five minutes at most, used once. The EHR is entered by whoever runs the "
    "service.",
}


def describe(app: FastAPI) -> Document:
    """The whole document."""
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
    components["securitySchemes"] = {"token": TOKEN, "api_key": API_KEY, "ehr": EHR}
    problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"].update(problem.pop("$defs"))
    components["schemas"][ProblemBody.__name__] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _complete(operation, fhir=path.startswith("/fhir"))
            exemplify(app, operation)
    return document


def _complete(operation: Document, *, fhir: bool) -> None:
    """Say what every route can answer, and problems where the framework said its own."""
    responses = operation["responses"]
    missing = [429, 500]
    if "application/json" in responses.get("422", {}).get("content", {}):
        missing.append(422)
    refused = outcomes(*missing) if fhir else refusals(*missing)
    responses.update({str(status): each for status, each in refused.items()})
