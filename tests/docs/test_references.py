"""The documents name what there is: every setting, every type of problem, every command."""

from pathlib import Path

import click
import pytest
import typer

from api.cli import main
from api.problems import PROBLEM_DEFINITIONS
from api.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def commands(group: click.Group, before: str = "nociscreen") -> list[str]:
    """Every command as it is typed."""
    found = []
    for name, command in group.commands.items():
        words = f"{before} {name}"
        found += commands(command, words) if hasattr(command, "commands") else [words]
    return found


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_every_setting_stands_in_the_readme(setting):
    assert f"`{setting}`" in README


@pytest.mark.parametrize("code", PROBLEM_DEFINITIONS)
def test_every_type_of_problem_stands_in_the_readme(code):
    assert f"`{code}`" in README


@pytest.mark.parametrize("command", commands(typer.main.get_command(main)))
def test_every_command_stands_in_the_documents(command):
    assert command in README + OPERATIONS
