"""A change that breaks clients of the last release is named; one that only adds is not."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "contract"))
from breaking_changes import find_newest_release  # noqa: E402 - scripts are not a package
from description_changes import list_breaking_changes  # noqa: E402

PAGE = {"in": "query", "name": "page", "schema": {"type": "integer"}}
NEW = {"in": "query", "name": "x", "schema": {}}
ITEM = {
    "type": "object",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "maxLength": 10},
        "kind": {"enum": ["a", "b"], "type": "string"},
        "count": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
    },
}
JSON = {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}
LAST_RELEASE = {
    "info": {"version": "1.0.0"},
    "components": {"schemas": {"Item": ITEM}, "responses": {"Done": {"content": JSON}}},
    "paths": {
        "/items": {
            "post": {
                "operationId": "create",
                "security": [{"token": ["items:write"]}],
                "parameters": [PAGE],
                "requestBody": {"content": JSON},
                "responses": {"201": {"$ref": "#/components/responses/Done"}, "404": {}},
            }
        }
    },
}
OPERATION = ("paths", "/items", "post")
PARAMETER = (*OPERATION, "parameters", 0)
MODEL = ("components", "schemas", "Item")
MEMBERS = (*MODEL, "properties")


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        (("paths", "/items"), {}, ["POST /items: removed"]),
        ((*OPERATION, "operationId"), "add", ["POST /items: operationId create is now add"]),
        ((*OPERATION, "security"), [{"token": ["admin"]}], ["POST /items: needs another scope"]),
        ((*OPERATION, "parameters"), [], ["POST /items: query parameter page removed"]),
        (
            (*PARAMETER, "required"),
            True,
            ["POST /items: query parameter page newly required"],
        ),
        (
            (*PARAMETER, "schema", "type"),
            "boolean",
            ["POST /items: query parameter page: no longer takes integer"],
        ),
        ((*OPERATION, "requestBody", "required"), True, ["POST /items: a body newly required"]),
        (
            (*OPERATION, "requestBody", "content"),
            {},
            ["POST /items: takes no application/json any more"],
        ),
        ((*OPERATION, "responses"), {"200": {}}, ["POST /items: status 201 removed"]),
        (
            ("components", "responses", "Done", "content"),
            {},
            ["POST /items: 201 is sent no more as application/json"],
        ),
        (
            (*MODEL, "required"),
            ["id", "kind"],
            ["request model Item: kind newly required"],
        ),
        ((*MODEL, "required"), [], ["answer model Item: id no longer always sent"]),
        ((*MEMBERS, "kind", "enum"), ["a"], ["request model Item: kind: takes b no more"]),
        (
            (*MEMBERS, "id", "maxLength"),
            5,
            ["request model Item: id: maxLength is now 5"],
        ),
        (
            (*MEMBERS, "id", "pattern"),
            "^x",
            ["request model Item: id: another pattern"],
        ),
        (
            (*MEMBERS, "count"),
            {"type": "integer"},
            ["request model Item: count: no longer takes null"],
        ),
        (
            (*MEMBERS, "id", "type"),
            ["string", "null"],
            ["answer model Item: id: may be null"],
        ),
        (
            MEMBERS,
            {name: ITEM["properties"][name] for name in ("id", "kind", "parts")},
            ["answer model Item: count removed", "request model Item: count removed"],
        ),
        ((*MEMBERS, "more"), {"type": "string"}, []),
        ((*MEMBERS, "kind", "enum"), ["a", "b", "c"], []),
        ((*OPERATION, "responses", "202"), {"content": JSON}, []),
        (
            (*OPERATION, "parameters"),
            [PAGE, NEW],
            [],
        ),
        (("paths", "/others"), {"get": {"operationId": "more"}}, []),
    ],
    ids=str,
)
def test_what_breaks_a_client_is_named_and_what_does_not_is_not(place, value, expected):
    present = copy.deepcopy(LAST_RELEASE)
    parent = present
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    assert sorted(set(list_breaking_changes(LAST_RELEASE, present))) == expected


def test_a_renamed_model_is_named():
    present = json.loads(
        json.dumps(LAST_RELEASE).replace("/Item", "/Thing").replace('"Item"', '"Thing"')
    )
    assert list(list_breaking_changes(LAST_RELEASE, present)) == ["model Item: removed"]


def test_every_break_since_the_last_release_is_accepted_with_a_reason():
    assert json.loads(find_newest_release().read_text())["info"]["version"] == "1.1.0"
    check = subprocess.run(
        [sys.executable, ROOT / "scripts" / "contract" / "breaking_changes.py"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (check.stdout, check.returncode) == ("", 0)
