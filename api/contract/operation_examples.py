"""Exchanges: for each operation an example of what is sent and of what this service answers.

Intakes are scored here and now. What is kept has ids, instants and secrets of its own each time:
its examples lie in files, and a test compares each with what the service really answers.
"""

import inspect
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.routing import APIRoute, iter_route_contexts

from api.intakes.reader import read_intake
from scoring.catalogue import catalogue
from scoring.engine import assess

EXAMPLES = Path(__file__).parent / "examples"
Document = dict[str, Any]


def exemplify(app: FastAPI, operation: Document) -> None:
    """Lay examples beside parameters, request and answers of an operation."""
    exchange = exchanges().get(operation["operationId"], {})
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in exchange.get("parameters", {}):
            value = exchange["parameters"][parameter["name"]]
            parameter["schema"].setdefault("examples", [value])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["examples"] = _laid(_requests(exchange))
    _drop_unfitting(operation)
    responses = operation["responses"]
    otherwise = exchange.get("otherwise", {})
    for status in (each for each in responses if each.startswith("2")):
        answers = (
            {"example": otherwise[status]}
            if status in otherwise
            else _answers(app, operation, exchange)
        )
        for kind, content in responses[status].get("content", {}).items():
            fitting = {name: each for name, each in answers.items() if _fits(kind, each)}
            if fitting:
                content["examples"] = _laid(fitting)


def _drop_unfitting(operation: Document) -> None:
    """A file in one format is no example of another."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if any(isinstance(each["value"], str) for each in content["examples"].values()):
            fitting = {n: v for n, v in content["examples"].items() if _fits(kind, v["value"])}
            content["examples"] = fitting
            if not fitting:
                del content["examples"]


def scored(request: Document) -> Document:
    """The answer to an example intake."""
    intake = read_intake(json.dumps(request).encode(), "", catalogue())
    answers = intake.answers.model_dump(exclude_none=True)
    loaded = catalogue().active(intake.rulebook)
    return assess(loaded, answers, attested=intake.attested).model_dump(mode="json", by_alias=True)


@cache
def examples() -> dict[str, Any]:
    """The example intakes by name, as they are sent."""
    return _read(EXAMPLES)


@cache
def exchanges() -> dict[str, Any]:
    """The exchanges that lie in files, by operation, with what they refer to in its place.

    `answered_as` names the operation that gives the same answer.
    """
    laid = {name: _filled(each) for name, each in _read(EXAMPLES / "operations").items()}
    same = {name: each["answered_as"] for name, each in laid.items() if "answered_as" in each}
    return laid | {name: laid[name] | laid[other] for name, other in same.items()}


def _read(folder: Path) -> dict[str, Any]:
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(folder.glob("*.json"))
    }


def _filled(value: Any) -> Any:
    """The value; `$intake`, `$answers` and `$scored` name an example intake to stand there."""
    match value:
        case {"$scored": name}:
            return scored(examples()[name])
        case {"$answers": name}:
            return examples()[name]["answers"]
        case {"$intake": name, **others}:
            return examples()[name] | others
        case dict():
            return {name: _filled(each) for name, each in value.items()}
        case list():
            return [_filled(each) for each in value]
    return value


def _requests(exchange: Document) -> Document:
    return {"example": exchange["request"]} if "request" in exchange else examples()


def _answers(app: FastAPI, operation: Document, exchange: Document) -> Document:
    """What is answered: as the file tells, or as it is scored or asked for now."""
    if "answer" in exchange:
        return {"example": exchange["answer"]}
    if "requestBody" in operation:
        return {name: scored(request) for name, request in examples().items()}
    return {} if "security" in operation else {"example": _asked(app, operation)}


def _asked(app: FastAPI, operation: Document) -> Any:
    """What an open route answers, asked with the examples in its path."""
    endpoint = _endpoint(app, operation["operationId"])
    given = {
        parameter["name"]: parameter["schema"]["examples"][0]
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }
    if "rulebooks" in inspect.signature(endpoint).parameters:
        given["rulebooks"] = app.state.catalogue
    answer = endpoint(**given)
    if isinstance(answer, Response):
        return json.loads(bytes(answer.body))
    return answer.model_dump(mode="json")


def _endpoint(app: FastAPI, operation_id: str) -> Callable[..., Any]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.operation_id == operation_id:
            return route.endpoint
    raise LookupError(operation_id)


def _fits(media_type: str, answer: Any) -> bool:
    """Whether an answer of this kind can be shown so: text as text, JSON as JSON, no bytes."""
    if isinstance(answer, str):
        lines = answer.startswith(("{", "["))
        return media_type in (("application/x-ndjson",) if lines else ("text/plain", "text/csv"))
    return media_type.endswith("json") and not media_type.endswith("ndjson")


def _laid(values: Document) -> Document:
    return {name: {"value": value} for name, value in values.items()}
