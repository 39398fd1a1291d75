"""The filed description of the API, as it is and with its shared components put in place."""

import json
from pathlib import Path
from typing import Any

CONTRACT_FOLDER = Path(__file__).parents[2] / "openapi"
_EXPANDED = ("responses", "parameters", "examples")


def read_contract() -> dict[str, Any]:
    """Return the description as it is filed."""
    document: dict[str, Any] = json.loads((CONTRACT_FOLDER / "openapi.json").read_text())
    return document


def expand_contract(document: dict[str, Any]) -> dict[str, Any]:
    """Return the description with shared responses, parameters and examples in every operation."""
    components = document["components"]

    def expand(value: Any) -> Any:
        match value:
            case {"$ref": str(reference)} if reference.split("/")[2] in _EXPANDED:
                _, _, kind, name = reference.split("/")
                return expand(components[kind][name])
            case dict():
                return {key: expand(member) for key, member in value.items()}
            case list():
                return [expand(item) for item in value]
        return value

    return document | {"paths": expand(document["paths"])}


EXPANDED = expand_contract(read_contract())
