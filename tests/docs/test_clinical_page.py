"""docs/clinical/ is what the rulebook says: whole, in order and up to date."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scoring.catalogue import RULEBOOKS_FOLDER, read_rulebook

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "clinical" / "nociplastic-2.0.0.md"
TEXT = PAGE.read_text(encoding="utf-8")
PLAIN = " ".join(TEXT.split())
BOOK = read_rulebook(RULEBOOKS_FOLDER / "nociplastic" / "2.0.0.toml", with_trials=False).rulebook


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/clinical_page.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_page_is_written_from_the_rulebook_as_it_is():
    result = run_script("--check")
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (r"^- \*\*[^*]+\*\*\s+\(`(\w+)`;", [question.id for question in BOOK.question]),
        (r"^#### (\w+) ", [criterion.id for criterion in BOOK.criterion]),
        (r"^### Rung \d: `(\w+)`", [step.id for step in BOOK.next_step]),
    ],
)
def test_every_block_stands_on_it_once(pattern, names):
    section = TEXT.partition("\n## Calculated values")[0] if "\\*" in pattern else TEXT
    assert sorted(re.findall(pattern, section, re.MULTILINE)) == sorted(names)


def test_every_flag_is_raised_under_its_tier():
    for tier in BOOK.tier:
        section = TEXT.partition(f"\n### {tier.id}: ")[2]
        section = re.split(r"^#{2,3} ", section, maxsplit=1, flags=re.MULTILINE)[0]
        own = [flag.id for flag in BOOK.flag if flag.tier == tier.id]
        plain = " ".join(section.split())
        assert [name for name in own if f"(`{name}`" not in plain] == []
        assert section.count("\n  - Raised where") == len(own)


def test_no_reason_action_caution_or_source_is_left_out():
    texts = [
        *(criterion.rationale for criterion in BOOK.criterion),
        *(flag.action for flag in BOOK.flag),
        *(alternative.settle for alternative in BOOK.alternative),
        *(rule.text for rule in BOOK.contradiction),
        *(caution.text for caution in BOOK.caution),
        *(step.certainty for step in BOOK.next_step),
        *(citation.text for citation in BOOK.citation),
    ]
    assert len(texts) > 300
    assert [text for text in texts if " ".join(text.split()) not in PLAIN] == []


def test_points_and_discounts_are_written_beside_their_conditions():
    a1 = PLAIN.partition("#### A1 ")[2].partition("#### ")[0]
    assert "**+5** where *Regions in pain* at least 4." in a1
    assert "Counted x0.3 where *Known inflammatory disease, active now*" in a1


def test_what_was_not_read_again_is_marked_at_its_source():
    assert PLAIN.count("*Cited from memory.*") == sum(it.unverified for it in BOOK.citation)
