"""docs/reference/ lists exactly the names that the code has."""

import json
import re
from pathlib import Path

import pytest
import typer

from api.cli import main
from api.observability.metrics import Metrics
from api.problem_definitions import PROBLEM_DEFINITIONS
from api.security.scopes import SCOPES
from api.settings import Settings
from scoring.catalogue import load_catalogue

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


def list_columns() -> list[str]:
    """Return the columns of each instrument in use."""
    books = [loaded.rulebook for loaded in load_catalogue().list_current()]
    return [question.id for book in books for question in book.question]


@pytest.mark.parametrize(
    ("page", "entry", "names"),
    [
        ("settings.md", r"^- `(\w+)`", list(Settings.model_fields)),
        ("problems.md", r"^- `(\w+)`", list(PROBLEM_DEFINITIONS)),
        ("api.md", r"^- `([A-Z]+ /\S*)`", list_operations()),
        ("cli.md", r"^## `(nociscreen .+)`", list_commands(typer.main.get_command(main))),
        ("scopes.md", r"^- `([\w:]+)`:", list(SCOPES)),
        ("metrics.md", r"^- `(\w+)`", list(Metrics().describe())),
        ("columns.md", r"^- `(\w+)`", list_columns()),
    ],
)
def test_a_reference_page_lists_each_name_once_and_no_other(page, entry, names):
    text = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert len(names) > 9
    assert sorted(re.findall(entry, text, re.MULTILINE)) == sorted(names)


def test_every_path_on_the_map_of_the_code_exists():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:api|scoring|reports|schemas|tests|scripts)/[\w./-]+)`", text)
    assert len(paths) > 60
    assert [path for path in paths if not (ROOT / path).exists()] == []
