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


@cache
def load_descriptions() -> dict[str, str]:
    """Return the texts by member, or by model and member."""
    members: dict[str, str] = tomllib.loads(_FILE.read_text(encoding="utf-8"))["members"]
    return members


def describe_members(schemas: dict[str, Any]) -> None:
    """Give each property of the components a description, unless it has one."""
    texts = load_descriptions()
    for model, schema in schemas.items():
        for name, member in schema.get("properties", {}).items():
            text = texts.get(f"{_VERSION.sub('', model)}.{name}", texts.get(name))
            if text is not None:
                member.setdefault("description", text)
