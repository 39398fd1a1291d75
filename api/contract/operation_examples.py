"""Request and response examples for every operation in the OpenAPI document.

Example intakes are scored when the document is built; those of a rulebook that is not active are
left out. Responses with ids, instants or secrets are read from files, and a test compares each file
with the real response.
"""

import inspect
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.routing import APIRoute, iter_route_contexts

from api.auth.services import find_app_services
from api.intakes.reader import read_intake
from api.intakes.short_assessment import MINIMAL_MEDIA_TYPE, shorten_assessment
from api.screenings.models import shorten_screening
from scoring.catalogue import Catalogue, UnknownRulebookError, load_catalogue
from scoring.engine import assess

EXAMPLES_FOLDER = Path(__file__).parent / "examples"
OpenApiObject = dict[str, Any]


def attach_examples(app: FastAPI, operation: OpenApiObject) -> None:
    """Attach examples to the parameters, request body and success responses of an operation."""
    catalogue = find_app_services(app).catalogue
    exchange = load_operation_examples(catalogue).get(operation["operationId"], {})
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in exchange.get("parameters", {}):
            value = exchange["parameters"][parameter["name"]]
            parameter["schema"].setdefault("examples", [value])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["examples"] = _as_openapi_examples(_list_requests(exchange, catalogue))
    _drop_wrong_media_types(operation)
    responses = operation["responses"]
    by_status = exchange.get("by_status", {})
    for status in (status for status in responses if status.startswith("2")):
        answers = (
            {"example": by_status[status]}
            if status in by_status
            else _list_answers(app, operation, exchange)
        )
        for media_type, content in responses[status].get("content", {}).items():
            matching = {name: body for name, body in answers.items() if _is_of(media_type, body)}
            if media_type == MINIMAL_MEDIA_TYPE:
                matching = {name: _shorten(body) for name, body in matching.items()}
            if matching:
                content["examples"] = _as_openapi_examples(matching)


def _drop_wrong_media_types(operation: OpenApiObject) -> None:
    """Drop text examples from the request bodies of other media types."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        examples = content["examples"]
        if any(isinstance(example["value"], str) for example in examples.values()):
            content["examples"] = {
                name: example
                for name, example in examples.items()
                if _is_of(media_type, example["value"])
            }
            if not content["examples"]:
                del content["examples"]


def _shorten(body: OpenApiObject) -> OpenApiObject:
    """Return the short form of the example of a full answer."""
    is_screening = "assessment" in body
    short = (
        shorten_screening(json.dumps(body).encode()) if is_screening else shorten_assessment(body)
    )
    return short.model_dump(mode="json", by_alias=True)


def score_example(request: OpenApiObject, catalogue: Catalogue | None = None) -> OpenApiObject:
    """Score an example intake and return the response body."""
    rulebooks = catalogue or load_catalogue()
    intake = read_intake(json.dumps(request).encode(), "", rulebooks)
    answers = intake.answers.model_dump(exclude_none=True)
    loaded = rulebooks.find_active(intake.rulebook)
    return assess(loaded, answers, attested=intake.attested).model_dump(mode="json", by_alias=True)


@cache
def load_example_intakes(catalogue: Catalogue | None = None) -> dict[str, Any]:
    """Return the example intakes of active rulebooks by name, as clients send them."""
    rulebooks = catalogue or load_catalogue()
    return {
        name: request
        for name, request in _read_json_files(EXAMPLES_FOLDER).items()
        if _is_active(rulebooks, request["rulebook"])
    }


def _is_active(catalogue: Catalogue, rulebook: str) -> bool:
    try:
        catalogue.find_active(rulebook)
    except UnknownRulebookError:
        return False
    return True


@cache
def load_operation_examples(catalogue: Catalogue | None = None) -> dict[str, Any]:
    """Return the examples stored in files, by operation, with their references resolved.

    `same_response_as` names an operation whose example is used as well.
    """
    examples = {
        name: _resolve_references(example, catalogue)
        for name, example in _read_json_files(EXAMPLES_FOLDER / "operations").items()
    }
    shared = {
        name: example["same_response_as"]
        for name, example in examples.items()
        if "same_response_as" in example
    }
    return examples | {name: examples[name] | examples[source] for name, source in shared.items()}


def _read_json_files(folder: Path) -> dict[str, Any]:
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(folder.glob("*.json"))
    }


def _resolve_references(value: Any, catalogue: Catalogue | None) -> Any:
    """Replace `$intake`, `$answers` and `$scored` by the example intake they name."""
    intakes = load_example_intakes(catalogue)
    match value:
        case {"$scored": name}:
            return score_example(intakes[name], catalogue)
        case {"$answers": name}:
            return intakes[name]["answers"]
        case {"$intake": name, **others}:
            return intakes[name] | others
        case dict():
            return {name: _resolve_references(part, catalogue) for name, part in value.items()}
        case list():
            return [_resolve_references(item, catalogue) for item in value]
    return value


def _list_requests(exchange: OpenApiObject, catalogue: Catalogue) -> OpenApiObject:
    if "request" in exchange:
        return {"example": exchange["request"]}
    return load_example_intakes(catalogue)


def _list_answers(app: FastAPI, operation: OpenApiObject, exchange: OpenApiObject) -> OpenApiObject:
    """Return the response bodies by name: from the file, by scoring, or by calling the route."""
    if "answer" in exchange:
        return {"example": exchange["answer"]}
    if "requestBody" in operation:
        catalogue = find_app_services(app).catalogue
        return {
            name: score_example(request, catalogue)
            for name, request in load_example_intakes(catalogue).items()
        }
    return {} if "security" in operation else {"example": _call_open_route(app, operation)}


def _call_open_route(app: FastAPI, operation: OpenApiObject) -> Any:
    """Call a route without authentication, with the examples of its path parameters."""
    endpoint = _find_endpoint(app, operation["operationId"])
    arguments = {
        parameter["name"]: parameter["schema"]["examples"][0]
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }
    services = find_app_services(app)
    known_arguments = {"rulebooks": services.catalogue, "settings": services.settings}
    for name in known_arguments.keys() & inspect.signature(endpoint).parameters.keys():
        arguments[name] = known_arguments[name]
    answer = endpoint(**arguments)
    if isinstance(answer, Response):
        return json.loads(bytes(answer.body))
    return answer.model_dump(mode="json")


def _find_endpoint(app: FastAPI, operation_id: str) -> Callable[..., Any]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.operation_id == operation_id:
            return route.endpoint
    raise LookupError(operation_id)


def _is_of(media_type: str, example: Any) -> bool:
    """Return whether the example is of this media type: a string of a text type, else of JSON."""
    if isinstance(example, str):
        is_ndjson = example.startswith(("{", "["))
        return media_type in (
            ("application/x-ndjson", "application/fhir+ndjson")
            if is_ndjson
            else ("text/plain", "text/csv")
        )
    return media_type.endswith("json") and not media_type.endswith("ndjson")


def _as_openapi_examples(values: OpenApiObject) -> OpenApiObject:
    return {name: {"value": value} for name, value in values.items()}
