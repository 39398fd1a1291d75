"""Translations use the words that a language has for patients and clinicians, one for one thing."""

import re
from pathlib import Path

import pytest

from scoring.catalogue import RULEBOOKS_FOLDER, load_catalogue
from scoring.translations import translate_rulebook

FORMS = Path(__file__).parents[2] / "api" / "web" / "locales"
NOT_SAID = {
    "de": r"nociplast|nocizeptiv|neuer Stuhlgang|nasser Nachtschweiß|Widriges|Suchtest",
    "es": r"escrupulos|delirio|retardad|inconstante|señal(es)? de alarma|haga que lo|practicante",
}
FOR_MEN_ONLY = (
    r"\b(cansado|deprimido|ansioso|(?<!sistema )nervioso|rígido|absorto|seguro en casa|de niño)"
    r"\b(?!/a)"
)


def said(language: str) -> list[str]:
    """The texts of every translation and of the pages, without the names of their keys."""
    files = [
        *RULEBOOKS_FOLDER.glob(f"*/translations/*.{language}.toml"),
        *FORMS.rglob(f"{language}.toml"),
    ]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [line.partition(" = ")[2] for line in lines if not line.startswith("rulebook")]


@pytest.mark.parametrize("language", NOT_SAID)
def test_one_thing_has_one_word_and_no_false_friend(language):
    assert [
        each for each in said(language) if re.search(NOT_SAID[language], each, re.IGNORECASE)
    ] == []


def test_spanish_asks_women_and_men():
    asked = [each for each in said("es") if each.startswith(('"¿', '"Sentirse', '"no me'))]
    assert len(asked) > 50
    assert [each for each in asked if re.search(FOR_MEN_ONLY, each)] == []


def test_spanish_parts_of_a_limb_are_not_read_as_the_whole_limb():
    told = translate_rulebook(load_catalogue().find_active("nociplastic"), "es")
    (sites,) = [each.options for each in told.question if each.id == "pain_sites"]
    labels = {each.id: each.label for each in sites}
    for side in ("left", "right"):
        assert labels[f"upper_arm_{side}"].startswith("parte superior del brazo")
        assert labels[f"lower_leg_{side}"].startswith("parte inferior de la pierna o pie")
