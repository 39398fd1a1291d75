"""The API's description (OpenAPI): what the framework derives, made true and complete.

Adds the token, the responses that every route can give, and for each operation an example that was
really scored.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.deps import refusals
from api.problems import ProblemBody

EXAMPLES = Path(__file__).parent / "examples"
TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token, signed with ES256, that lives for at most 15 minutes.",
}
Document = dict[str, Any]


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
    components["securitySchemes"] = {"token": TOKEN}
    problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"].update(problem.pop("$defs"))
    components["schemas"][ProblemBody.__name__] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for path in document["paths"].values():
        for method, operation in path.items():
            _complete(method, operation)
    return document


def _complete(method: str, operation: Document) -> None:
    responses = operation["responses"]
    responses.update({str(status): each for status, each in refusals(500).items()})
    if "422" in responses and "application/json" in responses["422"]["content"]:
        responses.update({str(status): each for status, each in refusals(422).items()})
    if method == "post":
        body = operation["requestBody"]["content"]["application/json"]
        body["examples"] = {name: {"value": value} for name, value in examples().items()}


@cache
def examples() -> dict[str, Any]:
    """The example intakes by name, as they are sent."""
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(EXAMPLES.glob("*.json"))
    }
