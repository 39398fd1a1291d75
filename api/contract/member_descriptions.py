"""Describes members of the contract that their models do not describe themselves.

The texts are data: `descriptions.toml`. Questions are described by the rulebook.
"""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("descriptions.toml")
_VERSION = re.compile(r"(_\d+){3}")


def describe_members(schemas: dict[str, Any]) -> None:
    """Give each property of the components a description, unless it has one."""
    texts = load_descriptions()
    for model, schema in schemas.items():
        for name, member in schema.get("properties", {}).items():
            text = texts.get(f"{_VERSION.sub('', model)}.{name}", texts.get(name))
            if text is not None:
                member.setdefault("description", text)


def describe_parameters(document: dict[str, Any]) -> None:
    """Give each parameter a description, unless it has one."""
    texts = _load_texts("parameters")
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in texts:
                    parameter.setdefault("description", texts[parameter["name"]])


def load_descriptions() -> dict[str, str]:
    """Return the texts by member, or by model and member."""
    return _load_texts("members")


@cache
def _load_texts(table: str) -> dict[str, str]:
    texts: dict[str, str] = tomllib.loads(_FILE.read_text(encoding="utf-8"))[table]
    return texts
