"""The catalogue: only bytes that were released are used, and errors name file and block."""

import hashlib

import pytest
from support.scoring.small_rulebook import SMALL, Release, at_version, write_catalogue
from support.scoring.small_second_rulebook import SMALL_SECOND

from scoring.catalogue import (
    RULEBOOKS_FOLDER,
    Catalogue,
    RulebookError,
    UnknownRulebookError,
    hash_file,
    load_catalogue,
    read_rulebook,
)


def write_rulebook(folder, text):
    path = folder / "weather.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_released_rulebook_is_active(tmp_path):
    catalogue = Catalogue(write_catalogue(tmp_path, Release("1.0.0", SMALL)))
    assert catalogue.find_active("weather").name == "weather@1.0.0"
    assert (
        catalogue.find_active("weather@1.0.0").sha256 == hashlib.sha256(SMALL.encode()).hexdigest()
    )


def test_one_changed_byte_stops_the_load_and_names_the_file(tmp_path):
    folder = write_catalogue(tmp_path, Release("1.0.0", SMALL))
    path = folder / "1.0.0.toml"
    path.write_bytes(path.read_bytes().replace(b"points = 4", b"points = 5"))
    with pytest.raises(RulebookError, match=r"1\.0\.0\.toml.*weather@1\.0\.0"):
        Catalogue(folder)


def test_one_added_space_stops_the_load(tmp_path):
    folder = write_catalogue(tmp_path, Release("1.0.0", SMALL))
    path = folder / "1.0.0.toml"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(RulebookError, match=r"1\.0\.0\.toml"):
        Catalogue(folder)


def test_a_missing_file_is_named(tmp_path):
    folder = write_catalogue(tmp_path, Release("1.0.0", SMALL))
    (folder / "1.0.0.toml").unlink()
    with pytest.raises(RulebookError, match=r"weather@1\.0\.0.*1\.0\.0\.toml is missing"):
        Catalogue(folder)


def test_a_missing_index_is_named(tmp_path):
    with pytest.raises(RulebookError, match=r"index\.toml"):
        Catalogue(tmp_path)


def test_a_file_that_holds_another_version_is_refused(tmp_path):
    folder = write_catalogue(tmp_path, Release("1.0.1", SMALL))
    with pytest.raises(RulebookError, match=r"contains weather@1\.0\.0.*expects weather@1\.0\.1"):
        Catalogue(folder)


def test_an_index_with_an_unknown_key_is_refused(tmp_path):
    folder = write_catalogue(tmp_path, Release("1.0.0", SMALL))
    index = folder / "index.toml"
    index.write_text(index.read_text("utf-8") + 'colour = "red"\n', encoding="utf-8")
    with pytest.raises(RulebookError, match=r"index\.toml: colour"):
        Catalogue(folder)


@pytest.mark.parametrize("status", ["draft", "retired"])
def test_what_is_not_active_is_not_in_use(tmp_path, status):
    catalogue = Catalogue(write_catalogue(tmp_path, Release("1.0.0", SMALL, status)))
    for name in ("weather", "weather@1.0.0"):
        with pytest.raises(UnknownRulebookError):
            catalogue.find_active(name)
    assert catalogue.find_version("weather@1.0.0").name == "weather@1.0.0"
    assert catalogue.list_active() == ()


def test_an_unknown_status_is_refused(tmp_path):
    folder = write_catalogue(tmp_path, Release("1.0.0", SMALL, "live"))
    with pytest.raises(RulebookError, match=r"index\.toml: status"):
        Catalogue(folder)


def test_the_newest_active_version_is_chosen_by_number_and_not_by_letter(tmp_path):
    versions = ["1.10.0", "1.9.0", "1.2.11"]
    drafts = [Release("2.0.0", at_version("2.0.0"), "draft")]
    folder = write_catalogue(
        tmp_path, *(Release(version, at_version(version)) for version in versions), *drafts
    )
    catalogue = Catalogue(folder)
    assert catalogue.find_active("weather").name == "weather@1.10.0"
    assert catalogue.find_active("weather@1.9.0").name == "weather@1.9.0"
    assert catalogue.find_current("weather").name == "weather@1.10.0"
    assert catalogue.find_current("weather@1.10.0").name == "weather@1.10.0"
    assert [it.name for it in catalogue.list_current()] == ["weather@1.10.0"]
    with pytest.raises(UnknownRulebookError, match=r"^a newer version of that rulebook is active$"):
        catalogue.find_current("weather@1.9.0")


def test_a_retired_version_is_found_as_released_and_a_draft_is_not(tmp_path):
    states = {"1.9.0": "retired", "1.10.0": "retired", "1.2.0": "active", "2.0.0": "draft"}
    folder = write_catalogue(
        tmp_path,
        *(Release(version, at_version(version), state) for version, state in states.items()),
    )
    catalogue = Catalogue(folder)
    names = [it.name for it in catalogue.list_released()]
    assert names == ["weather@1.9.0", "weather@1.10.0", "weather@1.2.0"]
    assert catalogue.find_released("weather").name == "weather@1.10.0"
    assert catalogue.find_released("weather@1.9.0").name == "weather@1.9.0"
    for name in ("weather@2.0.0", "rain"):
        with pytest.raises(
            UnknownRulebookError, match=r"^there is no released rulebook of that name$"
        ):
            catalogue.find_released(name)


@pytest.mark.parametrize("name", ["", "rain", "weather@", "weather@9.9.9", "WEATHER", "weather@1"])
def test_an_unknown_name_is_refused(tmp_path, name):
    catalogue = Catalogue(write_catalogue(tmp_path, Release("1.0.0", SMALL)))
    with pytest.raises(UnknownRulebookError, match=r"^there is no active rulebook of that name$"):
        catalogue.find_active(name)


def test_an_unknown_version_is_refused(tmp_path):
    catalogue = Catalogue(write_catalogue(tmp_path, Release("1.0.0", SMALL)))
    with pytest.raises(UnknownRulebookError, match=r"^no rulebook has that name and version$"):
        catalogue.find_version("weather@1.0.1")


def test_the_entry_of_a_rulebook_tells_its_release(tmp_path):
    catalogue = Catalogue(write_catalogue(tmp_path, Release("1.0.0", SMALL)))
    entry = catalogue.find_entry(catalogue.find_active("weather"))
    assert (entry.name, entry.released_on.isoformat()) == ("weather@1.0.0", "2026-01-31")


def test_what_ships_is_what_was_released():
    for entry in load_catalogue().entries:
        assert hash_file(RULEBOOKS_FOLDER / entry.file) == entry.sha256
    assert {entry.name for entry in load_catalogue().list_active()} >= {
        "nociplastic@1.0.0",
        "phq4@1.0.0",
    }


BROKEN = {
    "an unknown key": ("points = 4", "points = 4\nweight = 3", "criterion > W1 > level > true"),
    "an unknown block": ("[[limitation]]", "[[weather]]\nid = 1\n[[limitation]]", "weather"),
    "points as text": ("points = 4", 'points = "4"', "criterion > W1 > level > true > points"),
    "points to three places": ("points = 4", "points = 4.125", "W1 > level > true > points"),
    "a factor above one": ("factor = 0.25", "factor = 1.01", "W1 > discount > 1 > factor"),
    "a factor below zero": ("factor = 0.25", "factor = -0.01", "W1 > discount > 1 > factor"),
    "an unknown word": ("is = true", "equals = true", "criterion > W1 > level > true > when"),
    "two words": ("is = true", "is = true, at_least = 1", "W1 > level > true > when"),
    "a number among texts": (
        'citations = ["someone_2020"]',
        "citations = [1]",
        "criterion > W1 > citations > 1:",
    ),
    "truth as text": ("language", 'extra = "x"\nlanguage', "rulebook > extra"),
    "a grade of no scale": ('grade = "D"', 'grade = "E"', "criterion > W1 > grade"),
    "a version of two parts": ('version = "1.0.0"', 'version = "1.0"', "rulebook > version"),
    "an unknown question": ('question = "rain", is = true', 'question = "snow", is = true', "snow"),
    "an unknown option": ('includes = ["mild"]', 'includes = ["east"]', "no option east"),
    "an unknown domain": ('domain = "sky"', 'domain = "sea"', "unknown domain sea"),
    "an unknown citation": (
        'citations = ["someone_2020"]',
        'citations = ["x"]',
        "unknown citation x",
    ),
    "a citation unused": ("[[topic]]", '[[citation]]\nid = "x"\ntext = "X"\n[[topic]]', "x:"),
    "a doubled id": ('id = "winds"', 'id = "rain"', "rain: the id is used twice"),
    "a level never reached": (
        'when = { question = "rain", is = false }',
        'when = { question = "rain", is = true }',
        "W1 > level false: no answers reach it",
    ),
    "a discount not exact": ("factor = 0.25", "factor = 0.33", None),
    "a floor above its ceiling": ("floor = -5", "floor = 6", "domain sky"),
    "a place that is not a question or derived value": ("{rain}", "{snow}", "{snow}"),
    "bands without a banded total": (
        "[[limitation]]",
        '[[band]]\nid = "low"\nlabel = "Low"\nmeaning = "Low."\n[[limitation]]',
        "band",
    ),
}


@pytest.mark.parametrize("fault", [name for name, row in BROKEN.items() if row[2]])
def test_a_broken_rulebook_is_refused_with_file_and_block(tmp_path, fault):
    old, new, block = BROKEN[fault]
    assert old in SMALL
    with pytest.raises(RulebookError) as raised_error:
        read_rulebook(write_rulebook(tmp_path, SMALL.replace(old, new, 1)))
    assert str(raised_error.value).startswith("weather.toml: ")
    assert block in str(raised_error.value)


def test_a_discount_that_gives_thousandths_is_refused(tmp_path):
    text = SMALL.replace("factor = 0.25", "factor = 0.33").replace("points = 4", "points = 4.5")
    with pytest.raises(RulebookError, match=r"W1 > level true.*not exact"):
        read_rulebook(write_rulebook(tmp_path, text))


def test_a_discount_that_gives_hundredths_is_accepted(tmp_path):
    assert read_rulebook(write_rulebook(tmp_path, SMALL.replace("factor = 0.25", "factor = 0.33")))


def test_every_fault_is_told_at_once(tmp_path):
    text = SMALL.replace('domain = "sky"', 'domain = "sea"').replace('["mild"]', '["east"]')
    with pytest.raises(RulebookError) as raised_error:
        read_rulebook(write_rulebook(tmp_path, text))
    assert "sea" in str(raised_error.value)
    assert "east" in str(raised_error.value)


@pytest.mark.parametrize("content", [b"[[criterion", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path, content):
    path = tmp_path / "weather.toml"
    path.write_bytes(content)
    with pytest.raises(RulebookError, match=r"^weather\.toml: "):
        read_rulebook(path)


def test_a_rulebook_is_refused_for_what_only_drawn_answers_show(tmp_path):
    drizzle = 'ask_when = { question = "rain", is = true }\nneutral = false'
    assert SMALL_SECOND.count(drizzle) == 1
    text = SMALL_SECOND.replace(drizzle, drizzle.replace('"rain"', '"fog"'))
    path = write_rulebook(tmp_path, text)
    with pytest.raises(RulebookError, match="drizzle: its neutral moves points of criterion W1"):
        read_rulebook(path)
    assert read_rulebook(path, with_trials=False).name == "weather@2.0.0"
