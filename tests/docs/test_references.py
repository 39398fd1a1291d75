"""docs/reference/ lists exactly the settings, problem types, operations and commands."""

import json
import re
from pathlib import Path

import pytest
import typer

from api.cli import main
from api.problem_definitions import PROBLEM_DEFINITIONS
from api.settings import Settings

ROOT = Path(__file__).parents[2]


def list_commands(group, words: str = "nociscreen") -> list[str]:
    """Return every command as it is typed."""
    commands = []
    for name, command in group.commands.items():
        is_group = hasattr(command, "commands")
        command_words = f"{words} {name}"
        commands += list_commands(command, command_words) if is_group else [command_words]
    return commands


def list_operations() -> list[str]:
    """Return the method and path of every operation."""
    paths = json.loads((ROOT / "openapi" / "openapi.json").read_text())["paths"]
    return [
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if isinstance(operation, dict) and "operationId" in operation
    ]


@pytest.mark.parametrize(
    ("page", "entry", "names"),
    [
        ("settings.md", r"^- `(\w+)`", list(Settings.model_fields)),
        ("problems.md", r"^- `(\w+)`", list(PROBLEM_DEFINITIONS)),
        ("api.md", r"^- `([A-Z]+ /\S*)`", list_operations()),
        ("cli.md", r"^## `(nociscreen .+)`", list_commands(typer.main.get_command(main))),
    ],
)
def test_a_reference_page_lists_each_name_once_and_no_other(page, entry, names):
    text = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert len(names) > 20
    assert sorted(re.findall(entry, text, re.MULTILINE)) == sorted(names)
