"""An assessment of the second generation in other words: every text changes, and nothing else."""

import json

import pytest
from support.scoring.small_second_rulebook import load_small_second

from schemas.rulebooks.translation import list_texts
from scoring import translations
from scoring.engine import assess
from scoring.translations import TranslationMismatchError, translate_assessment

SMALL = load_small_second()
ANSWERS = {
    "months": 12,
    "storms": ("hail",),
    "rain": True,
    "drizzle": False,
    "shelter": "roof",
    "winds": ("north",),
    "looked_at": ("roof_leak",),
}


@pytest.fixture(autouse=True)
def upper_case(tmp_path, monkeypatch):
    """A translation into capitals, but for the places that sentences fill."""
    lines = [
        *('rulebook = "weather@2.0.0"', f'sha256 = "{SMALL.sha256}"', 'language = "de"'),
        *("validated = false", 'translator = "Tests"', 'decimal_mark = ","'),
        *("lowercase_labels = false", "", "[texts]"),
    ]
    for path, text in list_texts(SMALL.rulebook).items():
        lines.append(f"{json.dumps(path)} = {json.dumps(f'* {text}')}")
    folder = tmp_path / "weather" / "translations"
    folder.mkdir(parents=True)
    (folder / "2.0.0.de.toml").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(translations, "RULEBOOKS_FOLDER", tmp_path)
    translations._compile_translation.cache_clear()
    yield
    translations._compile_translation.cache_clear()


def test_every_text_of_the_new_blocks_is_translated():
    paths = set(list_texts(SMALL.rulebook))
    assert {
        *("alternative/leak/label", "alternative/leak/settle", "alternative/leak/sign/0/words"),
        *(
            "contradiction/calm_gusts/text",
            "caution/old/text",
            "no_band_reason/age_unanswered/text",
        ),
        *("wording/does_not_concern", "wording/band_would_be", "next_step/walk/certainty"),
    } <= paths


def test_words_change_and_results_do_not():
    assessment = assess(SMALL, ANSWERS)
    translated = translate_assessment(SMALL, "de", ANSWERS, assessment)
    assert [it.signs for it in translated.alternatives] == [
        ("* the north wind",),
        ("* hard rain", "* a roof"),
    ]
    assert translated.alternatives[0].settle == "* Look at the windows."
    assert [it.strength for it in translated.alternatives] == [4, 3]
    assert [it.text for it in translated.why_no_band] == ["* The age is unknown."]
    assert translated.limitations[0] == "* Made up."
    assert translated.sheet == assessment.sheet
    assert translated.missing == assessment.missing
    steps = [(step.id, len(step.cautions)) for step in translated.next_steps]
    assert steps == [(step.id, len(step.cautions)) for step in assessment.next_steps]


@pytest.mark.parametrize("attested", [True, False])
def test_an_attested_assessment_stays_attested(attested):
    answers = {**ANSWERS, "storms": ("thunder",)}
    assessment = assess(SMALL, answers, attested=attested)
    translated = translate_assessment(SMALL, "de", answers, assessment)
    assert [flag.assessed for flag in translated.safety.flags] == [attested]


def test_another_result_is_refused():
    assessment = assess(SMALL, {**ANSWERS, "winds": ()})
    with pytest.raises(TranslationMismatchError):
        translate_assessment(SMALL, "de", ANSWERS, assessment)
