"""The API's description (OpenAPI): what the framework derives, made true and complete.

Adds the token, the responses that every route can give, and for each operation an example that was
really scored.
"""

import inspect
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from api.deps import refusals
from api.intakes import read_intake
from api.problems import ProblemBody
from scoring.catalogue import catalogue
from scoring.engine import assess

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
    for methods in document["paths"].values():
        for operation in methods.values():
            _complete(operation)
            _exemplify(app, operation)
    return document


def _content(response: Document | None) -> Document:
    content: Document = (response or {}).get("content", {})
    return content


def _complete(operation: Document) -> None:
    """Say what every route can answer, and problems where the framework said its own."""
    responses = operation["responses"]
    missing = [429, 500, *([422] if "application/json" in _content(responses.get("422")) else [])]
    responses.update({str(status): each for status, each in refusals(*missing).items()})


def _exemplify(app: FastAPI, operation: Document) -> None:
    """Lay examples beside request and response, as this very service answers them."""
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]
        body["examples"] = {name: {"value": value} for name, value in examples().items()}
    answer = _content(operation["responses"]["200"]).get("application/json")
    if answer is not None:
        answer["examples"] = {
            name: {"value": value} for name, value in _answers(app, operation).items()
        }


def _answers(app: FastAPI, operation: Document) -> Document:
    if "requestBody" in operation:
        return {name: scored(value) for name, value in examples().items()}
    endpoint = _endpoint(app, operation["operationId"])
    given = {
        parameter["name"]: parameter["schema"]["examples"][0]
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }
    if "rulebooks" in inspect.signature(endpoint).parameters:
        given["rulebooks"] = app.state.catalogue
    answer = endpoint(**given)
    return {
        "example": json.loads(bytes(answer.body))
        if isinstance(answer, Response)
        else answer.model_dump(mode="json")
    }


def _endpoint(app: FastAPI, operation_id: str) -> Callable[..., Any]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.operation_id == operation_id:
            return route.endpoint
    raise LookupError(operation_id)


def scored(request: Document) -> Document:
    """The answer to an example request."""
    intake = read_intake(json.dumps(request).encode(), "", catalogue())
    answers = intake.answers.model_dump(exclude_none=True)
    loaded = catalogue().active(intake.rulebook)
    return assess(loaded, answers, attested=intake.attested).model_dump(mode="json", by_alias=True)


@cache
def examples() -> dict[str, Any]:
    """The example intakes by name, as they are sent."""
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(EXAMPLES.glob("*.json"))
    }
