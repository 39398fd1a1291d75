"""The release of the second rulebook into a copy of the index, by the command that releases it."""

import shutil
from datetime import date

import pytest

from scoring.catalogue import RULEBOOKS_FOLDER, Catalogue, RulebookError, add_release

VERSION = "nociplastic/2.0.0.toml"


@pytest.fixture
def folder(tmp_path):
    """The rulebooks as they ship, without the second one in the index."""
    copied = tmp_path / "rulebooks"
    shutil.copytree(RULEBOOKS_FOLDER, copied)
    index = copied / "index.toml"
    entries = index.read_text(encoding="utf-8").split("[[entry]]")
    text = "[[entry]]".join(entry for entry in entries if VERSION not in entry)
    index.write_text(text, encoding="utf-8")
    return copied


def test_the_second_version_becomes_active_and_the_first_stays_answerable(folder):
    entry = add_release(folder / VERSION, "a clinician", date(2026, 12, 1), folder)
    rulebooks = Catalogue(folder)
    assert entry.name == "nociplastic@2.0.0"
    assert rulebooks.find_active("nociplastic").name == entry.name
    assert rulebooks.find_active("nociplastic@1.0.0").version == "1.0.0"
    assert [it.name for it in rulebooks.list_current()] == ["phq4@1.0.0", entry.name]
    with pytest.raises(RulebookError, match="already released"):
        add_release(folder / VERSION, "a clinician", date(2026, 12, 1), folder)
