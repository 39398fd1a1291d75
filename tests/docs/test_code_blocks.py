"""Every block of code in the documents: run here or in test_guides.py, or read by what reads it."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import typer
from support.builders import build_store_settings
from support.commands import run_command
from support.path_resources import public_jwk

from api.cli import main
from api.settings import Settings
from schemas.organisations.form_settings import FormSettings

ROOT = Path(__file__).parents[2]
RUN_IN_GUIDES = ("tutorials/", "fhir.md", "smart.md", "README.md", "integration.md")
"""Pages whose shell blocks test_guides.py types."""
GENERATED = ("clinical/", "reference/", "safety/")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\w+=\S+ )*(?:\w+=\$\()?nociscreen ([^|>&)\n]+)", re.MULTILINE)


class CodeBlock(NamedTuple):
    """A block of code, by its page, its language and its number there."""

    page: str
    language: str
    number: int
    text: str

    @property
    def kind(self) -> str:
        """What reads a block that names no language."""
        first_word = self.text.split()[0]
        if self.language:
            return self.language
        if "nociscreen " in self.text:
            return "commands"
        if re.match(r"NOCISCREEN_\w+=", first_word):
            return "settings"
        if first_word in {"from", "for", "python"}:
            return "python"
        return {"CREATE": "sql", "curl": "curl"}.get(first_word, "headers")


def list_blocks() -> list[CodeBlock]:
    docs = ROOT / "docs"
    pages = [ROOT / "README.md", *sorted(docs.rglob("*.md"))]
    return [
        CodeBlock(name, match[1], number, match[2])
        for page in pages
        for name in [str(page.relative_to(docs if docs in page.parents else ROOT))]
        if not name.startswith(GENERATED)
        for number, match in enumerate(FENCE.finditer(page.read_text(encoding="utf-8")))
    ]


BLOCKS = [block for block in list_blocks() if not block.page.startswith(RUN_IN_GUIDES)]
DATA = [block for block in list_blocks() if block.language in {"json", "toml"}]


def list_commands(block: CodeBlock) -> list[list[str]]:
    """Return the words of each command after `nociscreen`, without notes."""
    lines = re.sub(r"(?<=\s)#.*$", "", block.text.replace("\\\n", " "), flags=re.MULTILINE)
    return [shlex.split(match[1]) for match in COMMAND.finditer(lines)]


def parse(command, words: list[str]) -> None:
    if hasattr(command, "commands"):
        parse(command.commands[words[0]], words[1:])
    else:
        command.make_context(words[0] if words else "", [*words])


def test_every_block_is_of_a_kind_that_a_test_reads():
    kinds = {(block.page, block.kind) for block in BLOCKS}
    assert len(kinds) > 12
    readers = {"commands", "sh", "settings", "json", "toml", "text"}
    elsewhere = {
        ("batches.md", "curl"),  # the same call as in the tutorial for integrators
        ("engine.md", "python"),  # make engine, and make spark
        ("operations.md", "sql"),  # tests/deploy/test_files.py, deploy/postgresql
        ("reliability.md", "python"),  # make bench
    }
    assert {kind for kind in kinds if kind[1] not in readers} - elsewhere == set()


def test_every_command_of_every_block_exists_with_its_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = [(block, words) for block in BLOCKS for words in list_commands(block)]
    assert len(commands) > 25
    for block, words in commands:
        for word in words:
            if re.fullmatch(r"FILE|[\w./]+\.[a-z]+", word):
                (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / word).touch()
        try:
            parse(typer.main.get_command(main), words)
        except Exception as error:  # noqa: BLE001 - whatever it is, say where
            pytest.fail(f"{block.page}: nociscreen {' '.join(words)}: {error}")


def test_every_setting_of_a_block_exists_and_its_value_is_taken():
    settings = [block.text for block in BLOCKS if block.kind == "settings"]
    assert len(settings) == 1
    lines = re.findall(r"^NOCISCREEN_(\w+)=(\S+)", settings[0], re.MULTILINE)
    values = {name.lower(): value for name, value in lines}
    assert values.keys() <= Settings.model_fields.keys()
    assert Settings(**values).smtp_port == 587


@pytest.mark.parametrize("block", DATA, ids=lambda block: f"{block.page}-{block.number}")
def test_every_block_of_data_can_be_read(block):
    if block.language == "toml":
        assert tomllib.loads(block.text)
    elif "..." not in block.text:
        assert json.loads(block.text)


def test_the_form_settings_of_the_guide_are_taken():
    [block] = [block for block in DATA if block.page == "forms.md"]
    assert FormSettings.model_validate_json(block.text).ask_again_days == 90


def test_the_commands_for_administrators_run_in_their_order(tmp_path, monkeypatch):
    """Each `x-...` is the last id of that kind that a command printed."""
    monkeypatch.chdir(tmp_path)
    settings = build_store_settings(tmp_path)
    assert run_command(settings, "admin", "first").returncode == 0
    terms = next(block.text for block in DATA if block.page == "operations.md")
    (tmp_path / "issuer.json").write_text(terms)
    (tmp_path / "ehr.json").write_text(
        json.dumps({"key_set_url": json.loads(terms)["key_set_url"]})
    )
    (tmp_path / "ehr.jwk.json").write_text(json.dumps(public_jwk()))
    (tmp_path / "logo.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'
    )
    ids: dict[str, str] = {}
    commands = [
        words
        for block in BLOCKS
        if block.page == "operations.md"
        for words in list_commands(block)
        if words[0] == "admin"
    ]
    assert len(commands) > 15
    for words in commands:
        arguments = [re.sub(r"^([a-z])-\.\.\.$", lambda kind: ids[kind[1]], word) for word in words]
        process = run_command(settings, *arguments)
        assert process.returncode == 0, (arguments, process.stderr)
        for name in re.findall(r'"((?:o|c|p|i|d)-[0-9a-f-]{36})"', process.stdout):
            if words[2] == "add" or name[0] not in ids:
                ids[name[0]] = name
