"""docs/asvs.md names each requirement of levels 1 and 2 once, and only files and tests that exist.

Numbers and levels are those of OWASP ASVS 5.0.0; its sentences are not repeated here.
"""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")

LEVELS = {
    "1.1": "22", "1.2": "1111122223", "1.3": "112222222223", "1.4": "222", "1.5": "123",
    "2.1": "122", "2.2": "112", "2.3": "12223", "2.4": "23",
    "3.1": "3", "3.2": "113", "3.3": "12223", "3.4": "11222233", "3.5": "11122333", "3.6": "3",
    "3.7": "22333",
    "4.1": "12233", "4.2": "23333", "4.3": "22", "4.4": "1222",
    "5.1": "2", "5.2": "112333", "5.3": "113", "5.4": "222",
    "6.1": "122", "6.2": "111111112222", "6.3": "11223333", "6.4": "112233", "6.5": "22222333",
    "6.6": "2223", "6.7": "33", "6.8": "2222",
    "7.1": "222", "7.2": "1111", "7.3": "22", "7.4": "11222", "7.5": "223", "7.6": "22",
    "8.1": "1233", "8.2": "1123", "8.3": "133", "8.4": "23",
    "9.1": "111", "9.2": "1222",
    "10.1": "22", "10.2": "223", "10.3": "22223", "10.4": "1111122222233333", "10.5": "22222",
    "10.6": "22", "10.7": "222",
    "11.1": "2233", "11.2": "22233", "11.3": "11233", "11.4": "1222", "11.5": "23", "11.6": "23",
    "11.7": "33",
    "12.1": "12233", "12.2": "11", "12.3": "22223",
    "13.1": "2333", "13.2": "222223", "13.3": "2233", "13.4": "1222233",
    "14.1": "22", "14.2": "12223333", "14.3": "122",
    "15.1": "12233", "15.2": "12233", "15.3": "1222222", "15.4": "3333",
    "16.1": "2", "16.2": "22222", "16.3": "2222", "16.4": "222", "16.5": "2223",
    "17.1": "23", "17.2": "22223333", "17.3": "22",
}  # fmt: skip
"""The levels of the requirements of each section, in their order."""

ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| \d", line)
]


def list_items(cell: str) -> list[str]:
    """Return the numbers of a row; `1.2.6-1.2.8` stands for three."""
    items = []
    for part in cell.split(", "):
        first, _, last = part.partition("-")
        section, _, number = first.rpartition(".")
        end = (last or first).rpartition(".")
        assert end[0] == section, f"{part}: a range lies in one section"
        items += [f"{section}.{n}" for n in range(int(number), int(end[2]) + 1)]
    return items


@cache
def list_tests(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_requirement_of_levels_1_and_2_is_named_once_with_its_level():
    expected = {
        f"{section}.{number}": level
        for section, levels in LEVELS.items()
        for number, level in enumerate(levels, 1)
        if level != "3"
    }
    assert len(expected) == 70 + 183
    entries = [(item, row[1]) for row in ROWS for item in list_items(row[0])]
    assert sorted(item for item, _ in entries) == sorted(expected)
    assert [item for item, levels in entries if expected[item] not in levels] == []


def find_row_faults(row: list[str]) -> list[str]:
    _, _, wording, state, where, shown_by = row
    tests = re.findall(r"`(tests/[^`:]+)::([^`]+)`", shown_by)
    faults = [f"no test {name}" for file, name in tests if name not in list_tests(file)]
    if not wording or not where:
        faults.append("an empty cell")
    if shown_by.count("`") != 2 * len(tests):
        faults.append("a name that is not a test")
    if state not in {"met", "not met", "not ours"}:
        faults.append(f"state {state}")
    is_shown_otherwise = shown_by in {"by documentation", "by absence"}
    if is_shown_otherwise if state == "not met" else not (tests or is_shown_otherwise):
        faults.append(f"{state}, shown by {shown_by}")
    return faults


def test_every_row_has_a_state_and_what_shows_it():
    assert len(ROWS) > 200
    assert {row[0]: faults for row in ROWS if (faults := find_row_faults(row))} == {}


def test_every_file_named_on_the_page_exists():
    folders = "api|reports|schemas|scoring|scripts|docs|openapi|tests"
    paths = re.findall(rf"`((?:{folders})(?:/[^`:]*)?)(?:::[^`]*)?`", PAGE)
    links = [f"docs/{name}" for name in re.findall(r"\]\(([^)#]+\.md)", PAGE)]
    assert len(paths) > 200
    assert [path for path in (*paths, *links) if not (ROOT / path).exists()] == []
