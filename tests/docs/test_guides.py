"""Types the commands of tutorials and guides in a fresh folder, and compares the answers shown."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.builders import build_store_settings
from support.guides import DOCS, GuideBlock, matches_answer, read_blocks, run_blocks
from support.servers.processes import environment, issue_first_token, serving

from api.settings import Settings

ROOT = DOCS.parent
MISSING = [program for program in ("curl", "openssl") if shutil.which(program) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"missing: apt install {' '.join(MISSING)}")
TUTORIALS = ("integrator", "therapist", "analyst", "rulebook-author")


def list_differences(page: str, folder: Path, variables) -> list[tuple[str, str]]:
    """Run a page; return each answer shown that differs, with what was printed."""
    blocks = read_blocks(page)
    outputs = run_blocks(blocks, folder, variables)
    assert len(outputs) == len(blocks)
    return [
        (block.answer, output)
        for block, output in zip(blocks, outputs, strict=True)
        if block.answer is not None and not matches_answer(block.answer, output)
    ]


class GuideService(NamedTuple):
    """A service with a first client, and a token of that client."""

    settings: Settings
    address: str
    token: str


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[GuideService]:
    settings = build_store_settings(tmp_path_factory.mktemp("service"))
    token = issue_first_token(settings)
    with serving(settings) as server:
        yield GuideService(settings, server.address, token)


@pytest.fixture
def clone(tmp_path) -> Path:
    """Return a fresh folder with the samples that tutorials name."""
    for name in ("api/contract/examples", "docs/tutorials/samples", "scoring/rulebooks/phq4"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("name", TUTORIALS[1:])
def test_a_tutorial_without_a_service_gives_the_answers_that_it_shows(clone, name):
    settings = build_store_settings(clone)
    page = f"tutorials/{name}.md"
    assert len(read_blocks(page)) >= 2
    assert list_differences(page, clone, environment(settings)) == []


def test_the_tutorial_for_integrators_gives_the_answers_that_it_shows(clone, service):
    variables = environment(service.settings) | {"SERVICE": service.address}
    assert list_differences("tutorials/integrator.md", clone, variables) == []


def test_the_first_request_of_the_readme_gives_the_answer_that_it_shows(clone, service):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## One request")[2]
    commands = section.partition("```sh\n")[2].partition("```")[0]
    excerpt = json.loads(section.partition("```json\n")[2].partition("```")[0])
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "activate").touch()
    start = re.search(r"^nociscreen serve &.*\n", commands, re.MULTILINE)
    assert start is not None
    commands = commands.replace(start[0], "").replace("http://127.0.0.1:8000", service.address)
    blocks = [GuideBlock(commands, None)]
    [output] = run_blocks(blocks, clone, environment(service.settings))
    assert list(list_missing(excerpt, json.loads(output))) == []


def list_missing(excerpt, value, place=""):
    """Yield the places where a shortened answer shows what the whole one does not have."""
    match excerpt:
        case dict():
            for name, member in excerpt.items():
                yield from list_missing(member, value.get(name), f"{place}/{name}")
        case list() if 0 < len(excerpt) <= len(value):
            for number, (member, member_value) in enumerate(zip(excerpt, value, strict=False)):
                yield from list_missing(member, member_value, f"{place}/{number}")
        case str():
            if not matches_answer(excerpt, str(value)):
                yield place
        case _:
            if excerpt != value:
                yield place


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_takes_ten_minutes_in_six_steps(name):
    text = (DOCS / "tutorials" / f"{name}.md").read_text(encoding="utf-8")
    steps = re.findall(r"^## (\d)\. .+ \(minute (\d+)\)$", text, re.MULTILINE)
    assert [int(number) for number, _ in steps] == [1, 2, 3, 4, 5, 6]
    minutes = [int(minute) for _, minute in steps]
    assert minutes == sorted(minutes)
    assert minutes[-1] < 10


def test_an_answer_shown_is_compared_with_what_was_printed():
    assert matches_answer("a\n...\nc\n", "a\nb\nb\nc\n")
    assert matches_answer("SHA-256 ...", "SHA-256 6600")
    assert not matches_answer("a\n", "b\n")
    assert not matches_answer("a ...", "b c")


def test_the_fhir_guide_does_what_it_says(tmp_path, service):
    blocks = read_blocks("fhir.md")
    assert len(blocks) == 16
    run_blocks(blocks, tmp_path, {"BASE": f"{service.address}/fhir", "TOKEN": service.token})
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    transaction = json.loads((tmp_path / "transaction.json").read_text())
    assert (transaction["resourceType"], transaction["type"]) == ("Bundle", "transaction")


def test_the_smart_guide_does_what_it_says(tmp_path, service):
    blocks = read_blocks("smart.md")
    assert len(blocks) == 3
    folder = service.settings.database_file.parent
    client = json.loads((folder / "first-client.json").read_text())["client_id"]
    variables = {"BASE": f"{service.address}/fhir", "TOKEN": service.token, "CLIENT": client}
    run_blocks(blocks, tmp_path, variables)
    token = json.loads((tmp_path / "token.json").read_text())
    assert token["scope"] == "system/QuestionnaireResponse.crs system/Observation.read"


def test_the_integration_guide_does_what_it_says(clone, service):
    (clone / "report.pdf").write_bytes(b"%PDF, issued elsewhere")
    blocks = read_blocks("integration.md")
    variables = environment(service.settings) | {"SERVICE": service.address}
    token, verification, scored = run_blocks(blocks, clone, variables)
    assert len(blocks) == 3
    assert json.loads(verification) == {"issued": False}
    assert '"status"' in scored
    assert (clone / "report.pdf").stat().st_size > 20_000
    assert token.strip() == ""
