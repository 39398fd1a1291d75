"""docs/safety/ names controls and tests that exist, leaves no high risk, and is up to date."""

import ast
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from scoring.catalogue import load_catalogue

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "safety"
HAZARDS = tomllib.loads((FOLDER / "hazards.toml").read_text(encoding="utf-8"))["hazard"]
CARDS = (ROOT / "docs" / "clinical" / "model-cards.md").read_text(encoding="utf-8")
MEMBERS = {
    *("id", "title", "cause", "effect", "severity", "likelihood", "control", "clinic"),
    *("residual_severity", "residual_likelihood"),
}


@pytest.fixture(scope="module")
def safety_pages():
    """Return scripts/safety_pages.py as a module."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import safety_pages
    finally:
        sys.path.pop(0)
    return safety_pages


@cache
def list_test_ids(file: str) -> set[str]:
    """Return the tests of a file as pytest names them; none if the file is missing."""
    path = ROOT / file
    if not path.is_file():
        return set()
    return set(walk_tests(ast.parse(path.read_text(encoding="utf-8")).body, file))


def walk_tests(body: list[ast.stmt], place: str) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name.startswith("test_"):
                yield f"{place}::{node.name}"
            case ast.ClassDef():
                yield from walk_tests(node.body, f"{place}::{node.name}")


def test_the_pages_are_written_from_their_sources():
    command = [sys.executable, "scripts/safety_pages.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_there_are_hazards_with_numbers_of_their_own():
    assert len(HAZARDS) >= 25
    assert [hazard["id"] for hazard in HAZARDS] == [
        f"H{number:02}" for number in range(1, len(HAZARDS) + 1)
    ]
    assert max(Counter(hazard["title"] for hazard in HAZARDS).values()) == 1


@pytest.mark.parametrize("hazard", HAZARDS, ids=[hazard["id"] for hazard in HAZARDS])
def test_every_hazard_is_controlled_by_tests_that_exist_and_its_risk_is_reduced(
    hazard, safety_pages
):
    before, after = safety_pages.rate_before_and_after(hazard)
    assert set(hazard) - {"accepted_because"} == MEMBERS
    assert after <= 3
    assert after < before or "accepted_because" in hazard or before <= 2
    assert ("accepted_because" in hazard) == (after == 3)
    assert hazard["control"]
    for control in hazard["control"]:
        assert control["text"]
        assert control["tests"]
        missing = [
            test for test in control["tests"] if test not in list_test_ids(test.split("::")[0])
        ]
        assert missing == []


def test_the_matrix_of_risks_grows_with_severity_and_likelihood(safety_pages):
    rows = list(safety_pages.RISKS.values())
    assert all(row == tuple(sorted(row)) for row in rows)
    assert all(list(column) == sorted(column, reverse=True) for column in zip(*rows, strict=True))
    assert (rows[0][-1], rows[-1][0]) == (5, 1)


def test_every_released_rulebook_has_a_card_that_claims_no_validation():
    names = [loaded.name for loaded in load_catalogue().list_released()]
    assert len(names) >= 3
    assert sorted(names) == sorted(
        line.removeprefix("## ").partition(":")[0]
        for line in CARDS.splitlines()
        if line.startswith("## ")
    )
    assert CARDS.count("**Validation.** None with patients") == len(names)
