"""Compares two OpenAPI descriptions, and names what a client of the first would stumble over.

What the service takes may only widen, and what it sends may only gain members. New words of a
closed list in answers break nothing: the documentation says to expect them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from schema_changes import SchemaComparison

OpenApiObject = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "patch")


class Comparisons(NamedTuple):
    """What compares the schemas of requests, and those of answers."""

    requests: SchemaComparison
    answers: SchemaComparison


def list_breaking_changes(last_release: OpenApiObject, present: OpenApiObject) -> Iterator[str]:
    """Yield each breaking change as one line, the same line once for all operations."""
    comparisons = Comparisons(
        SchemaComparison(last_release, present, of_requests=True),
        SchemaComparison(last_release, present, of_requests=False),
    )
    for name in last_release["components"]["schemas"]:
        if name not in present["components"]["schemas"]:
            yield f"model {name}: removed"
    for path, operations in last_release["paths"].items():
        for method in METHODS:
            if method in operations:
                place = f"{method.upper()} {path}"
                operation = present["paths"].get(path, {}).get(method)
                if operation is None:
                    yield f"{place}: removed"
                else:
                    yield from _compare(place, operations[method], operation, comparisons)


def _compare(
    place: str, old: OpenApiObject, new: OpenApiObject, comparisons: Comparisons
) -> Iterator[str]:
    if old["operationId"] != new["operationId"]:
        yield f"{place}: operationId {old['operationId']} is now {new['operationId']}"
    if old.get("security") and old["security"] != new["security"]:
        yield f"{place}: needs another scope"
    yield from _compare_parameters(place, old, new, comparisons)
    yield from _compare_request(place, old, new, comparisons)
    yield from _compare_responses(place, old, new, comparisons)


def _compare_parameters(
    place: str, old: OpenApiObject, new: OpenApiObject, comparisons: Comparisons
) -> Iterator[str]:
    before, after = (
        {
            (parameter["in"], parameter["name"].lower()): parameter
            for item in operation.get("parameters", ())
            for parameter in [comparisons.requests.resolve(item, side)]
        }
        for side, operation in enumerate((old, new))
    )
    for (where, name), parameter in before.items():
        if (where, name) not in after:
            yield f"{place}: {where} parameter {name} removed"
            continue
        changed = after[where, name]
        if changed.get("required") and not parameter.get("required"):
            yield f"{place}: {where} parameter {name} newly required"
        here = f"{place}: {where} parameter {name}"
        yield from comparisons.requests.compare(here, parameter["schema"], changed["schema"])
    for (where, name), parameter in after.items():
        if (where, name) not in before and parameter.get("required"):
            yield f"{place}: {where} parameter {name} new and required"


def _compare_request(
    place: str, old: OpenApiObject, new: OpenApiObject, comparisons: Comparisons
) -> Iterator[str]:
    before, after = (operation.get("requestBody", {}) for operation in (old, new))
    if after.get("required") and not before.get("required"):
        yield f"{place}: a body newly required"
    for media_type, content in before.get("content", {}).items():
        if media_type not in after.get("content", {}):
            yield f"{place}: takes no {media_type} any more"
        else:
            schema = after["content"][media_type]["schema"]
            yield from comparisons.requests.compare(f"{place}: body", content["schema"], schema)


def _compare_responses(
    place: str, old: OpenApiObject, new: OpenApiObject, comparisons: Comparisons
) -> Iterator[str]:
    for status, response in old["responses"].items():
        if not status.startswith("2"):
            continue
        if status not in new["responses"]:
            yield f"{place}: status {status} removed"
            continue
        resolve = comparisons.answers.resolve
        after = resolve(new["responses"][status]).get("content", {})
        for media_type, content in resolve(response, 0).get("content", {}).items():
            if media_type not in after:
                yield f"{place}: {status} is sent no more as {media_type}"
            else:
                yield from comparisons.answers.compare(
                    f"{place}: {status}", content.get("schema", {}), after[media_type]["schema"]
                )
