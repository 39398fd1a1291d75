"""Every constraint of the contract, broken in turn: our own codes and sentences, and no 500."""

import copy
import json
import re
from collections import defaultdict
from pathlib import Path

import pytest
from support.builders import clinic
from support.callers import calling
from support.contract_document import expand_contract

from api.field_errors import list_codes

LIBRARY_TEXT = re.compile(
    r"String should|Input should|Tuple|List should|pattern|unable to parse|valid "
)
FALLBACK = "is not valid here"
CONSTRAINTS = {
    "type", "pattern", "format", "minLength", "maxLength", "minItems", "maxItems", "minimum",
    "maximum", "enum",
}  # fmt: skip
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document(service):
    return expand_contract(service.openapi())


@pytest.fixture(scope="module")
def caller(service):
    return calling(service, clinic(service.services.store, "Constraints"))


def resolve(document, schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def list_alternatives(document, schema):
    """Return each type of a value that is not null."""
    schema = resolve(document, schema)
    for alternative in schema.get("anyOf") or schema.get("oneOf") or [schema]:
        if alternative.get("type") != "null":
            yield resolve(document, alternative)


def list_broken_values(schema, signatures):
    """Yield a value for each constraint that breaks it, once for all places with the same."""
    signature = json.dumps({name: schema[name] for name in CONSTRAINTS & schema.keys()})
    if signature in signatures:
        return
    signatures.add(signature)
    match schema.get("type"):
        case "string":
            yield 7
            yield from ["\x00"] if "pattern" in schema else []
            yield from ["x" * (schema["maxLength"] + 1)] if "maxLength" in schema else []
            yield from ["zzz"] if "enum" in schema or "format" in schema else []
        case "integer" | "number":
            yield "seven"
            yield from [schema["minimum"] - 1] if "minimum" in schema else []
            yield from [schema["maximum"] + 1] if "maximum" in schema else []
        case "boolean":
            yield "yes"
        case "array":
            yield "x"
            items = schema.get("items", {}).get("type")
            filler = {"string": "x", "integer": 1}.get(items, {})
            yield from [[filler] * (schema["maxItems"] + 1)] if "maxItems" in schema else []
        case "object":
            yield []


def list_broken_bodies(document, schema, example, signatures):
    """Yield copies of an example, each with one member broken, and one with an unknown member."""
    yield example | {"unheard_of": 1}
    for part in list_alternatives(document, schema):
        for name, member in part.get("properties", {}).items():
            for alternative in list_alternatives(document, member):
                for value in list_broken_values(alternative, signatures):
                    yield copy.deepcopy(example) | {name: value}
                inner = example.get(name)
                if isinstance(inner, dict) and inner and alternative.get("type") == "object":
                    for body in list_broken_bodies(document, alternative, inner, signatures):
                        yield copy.deepcopy(example) | {name: body}


def fill_path(path, operation):
    values = {
        parameter["name"]: parameter["schema"].get("examples", ["x"])[0]
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }
    return re.sub(r"\{(\w+)\}", lambda match: str(values[match[1]]), path)


def list_requests(document):
    """Yield the method, the path and the rest of each broken request."""
    signatures = defaultdict(set)
    for path, operations in document["paths"].items():
        for method in METHODS:
            operation = operations.get(method, {})
            if operation.get("security"):
                here = fill_path(path, operation)
                for rest in list_broken_parts(document, operation, signatures):
                    yield method, here, rest


def list_broken_parts(document, operation, signatures):
    """Yield what is broken of a request: one parameter, one header or the body."""
    for parameter in operation.get("parameters", ()):
        name, place = parameter["name"], parameter["in"]
        for schema in list_alternatives(document, parameter["schema"]):
            for value in map(str, list_broken_values(schema, signatures[place])):
                if place == "query":
                    yield {"params": {name: value}}
                elif place == "header" and value.isprintable():
                    yield {"headers": {name: value}}
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = [example["value"] for example in content.get("examples", {}).values()]
    if examples and isinstance(examples[0], dict):
        for body in list_broken_bodies(
            document, content["schema"], examples[0], signatures["body"]
        ):
            yield {"json": body}


def test_each_broken_constraint_is_told_in_our_own_words(document, caller):
    codes = list_codes()
    refusal_count, foreign = 0, set()
    for method, path, rest in list_requests(document):
        response = caller.request(method, path, **rest)
        assert response.status_code < 500, (method, path, rest)
        if response.status_code != 422 or "errors" not in response.json():
            continue
        refusal_count += 1
        for error in response.json()["errors"]:
            text = error["detail"]
            if error["code"] not in codes or LIBRARY_TEXT.search(text) or FALLBACK in text:
                foreign.add((method, path, str(rest)[:80], error["code"], text))
    assert foreign == set()
    assert refusal_count > 150


def test_every_code_of_a_field_error_is_documented():
    source = Path(__file__).parents[2] / "api"
    codes = {
        code
        for file in source.rglob("*.py")
        for code in re.findall(r'FieldError\([^)]*?code="(\w+)"', file.read_text(), re.DOTALL)
    }
    assert len(codes) > 8
    assert codes <= list_codes().keys()
