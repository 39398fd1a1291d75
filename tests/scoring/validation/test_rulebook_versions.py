"""Version numbers carry meaning: what changed, and which number it needs."""

import tomllib
from datetime import date
from decimal import Decimal
from shutil import copytree

import pytest
from support.scoring.small_second_rulebook import SMALL_SECOND, read_second_table

from schemas.rulebooks.rulebook import Rulebook
from scoring.catalogue import RULEBOOKS_FOLDER, Catalogue, RulebookError, add_release
from scoring.validation.rulebook_versions import classify_change, find_least_version

FILE = RULEBOOKS_FOLDER / "phq4" / "1.0.0.toml"


def book(**edits: str) -> Rulebook:
    text = FILE.read_text()
    for old, new in edits.values():
        assert old in text
        text = text.replace(old, new)
    return Rulebook.model_validate(tomllib.loads(text, parse_float=Decimal))


@pytest.mark.parametrize(
    ("old", "new", "expected_kind"),
    [
        ("points = 3", "points = 4", "major"),
        ("ceiling = 6", "ceiling = 5", "major"),
        ("from = 9", "from = 10", "major"),
        ('id = "severe"', 'id = "grave"', "major"),
        ("maximum = 3", "maximum = 4", "major"),
        ("at_least = 3", "at_least = 2", "major"),
        ('grade = "B"', 'grade = "C"', "minor"),
        ("unverified = true", "unverified = false", "minor"),
        ('certainty = "A sum', 'certainty = "The sum', "minor"),
        ('label = "Severe"', 'label = "Very severe"', "patch"),
        ("Little interest or pleasure", "Little pleasure", "patch"),
        ('version = "1.0.0"', 'version = "1.0.1"', None),
    ],
)
def test_the_most_weighty_change_is_told(old, new, expected_kind):
    assert classify_change(book(), book(edit=(old, new))) == expected_kind


@pytest.mark.parametrize(
    ("old", "new", "expected_kind"),
    [
        ('unless = { question = "frost"', 'unless = { question = "fog"', "minor"),
        ("strength = 4", "strength = 3", "minor"),
        ("rung = 6", "rung = 5", "minor"),
        ("Careful from 65.", "Careful.", "patch"),
        ("Look at the roof.", "Look up.", "patch"),
        ("hard rain", "much rain", "patch"),
        ("neutral = []", "", "major"),
        ("scoring_rules = 2", "scoring_rules = 1", "major"),
        ("most_bands_apart = 2", "most_bands_apart = 3", "major"),
        ('kind = "emergency"', 'kind = "urgent"', "major"),
        ('assessed_by = ["roof_leak"]', "", "major"),
    ],
)
def test_the_blocks_of_the_second_generation_weigh_too(old, new, expected_kind):
    assert old in SMALL_SECOND
    before = Rulebook.model_validate(read_second_table())
    after = Rulebook.model_validate(read_second_table(SMALL_SECOND.replace(old, new)))
    assert classify_change(before, after) == expected_kind


@pytest.mark.parametrize(
    ("weight", "expected_kind"), [("major", "2.0.0"), ("minor", "1.5.0"), ("patch", "1.4.8")]
)
def test_each_change_needs_a_number(weight, expected_kind):
    assert find_least_version("1.4.7", weight) == expected_kind


@pytest.fixture
def folder(tmp_path):
    return copytree(RULEBOOKS_FOLDER, tmp_path / "rulebooks")


def write(folder, version, *edits):
    text = FILE.read_text().replace('version = "1.0.0"', f'version = "{version}"')
    for old, new in edits:
        text = text.replace(old, new)
    file = folder / "phq4" / f"{version}.toml"
    file.write_text(text)
    return file


def test_a_released_rulebook_is_the_newest_active_one(folder):
    file = write(folder, "2.0.0", ("from = 9", "from = 10"))
    entry = add_release(file, 'Dr "A" Example', date(2027, 5, 3), folder)
    assert (entry.name, entry.status) == ("phq4@2.0.0", "active")
    catalogue = Catalogue(folder)
    assert catalogue.find_active("phq4").name == "phq4@2.0.0"
    assert catalogue.find_active("phq4@1.0.0").name == "phq4@1.0.0"
    assert catalogue.entries[-1] == entry


@pytest.mark.parametrize(
    ("version", "edits", "message"),
    [
        ("1.1.0", [("from = 9", "from = 10")], r"a major change to phq4@1.0.0 needs version 2.0.0"),
        ("1.0.1", [('grade = "B"', 'grade = "C"')], r"a minor change .* needs version 1.1.0"),
        ("1.0.1", [], r"is identical to phq4@1.0.0"),
        ("1.0.0", [], r"phq4@1.0.0 is already released"),
        ("1.1.0", [('grade = "B"', 'grade = "E"')], r"criterion > Q1 > grade"),
    ],
)
def test_a_release_that_is_numbered_too_low_or_faulty_is_refused(folder, version, edits, message):
    before = (folder / "index.toml").read_bytes()
    with pytest.raises(RulebookError, match=message):
        add_release(write(folder, version, *edits), "Dr A", date(2027, 5, 3), folder)
    assert (folder / "index.toml").read_bytes() == before


def test_a_release_is_compared_with_the_newest_by_number(folder):
    add_release(write(folder, "2.0.0", ("from = 9", "from = 10")), "Dr A", date(2027, 5, 3), folder)
    older = write(folder, "1.0.1", ("Little interest or pleasure", "Little pleasure"))
    with pytest.raises(RulebookError, match=r"change to phq4@2\.0\.0 needs version"):
        add_release(older, "Dr A", date(2027, 5, 4), folder)
