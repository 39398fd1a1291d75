"""Views of the example intakes, made as the service makes them."""

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pypdfium2

from reports.blocks import Block, Document, Paragraph, Picture, Section, Table
from reports.formats import document
from reports.phrases import wording
from reports.view.heading import Heading
from reports.view.model import View
from reports.view.translation import Books
from reports.view.view_builder import view_in
from schemas.assessment import Assessment
from scoring.answer_model import build_answer_model
from scoring.catalogue import load_catalogue
from scoring.engine import assess
from scoring.translations import translate_rulebook

EXAMPLES = Path(__file__).parents[2] / "api" / "contract" / "examples"
NAMES = ("widespread_pain", "red_flag", "too_little_known", "phq4")


def assessed(name: str, **changed) -> tuple[str, Assessment]:
    intake = json.loads((EXAMPLES / f"{name}.json").read_text())
    loaded = load_catalogue().find_active(intake["rulebook"])
    given = json.dumps(intake["answers"] | changed)
    answers = build_answer_model(loaded.rulebook).model_validate_json(given)
    return loaded.name, assess(loaded, answers.model_dump(exclude_none=True))


NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def heading(**given) -> Heading:
    return Heading(**({"produced_at": NOW} | given))


def made(name: str, kind: str = "clinician", answers: dict | None = None, **given) -> Document:
    return document(viewed(name, answers, **given), kind)


def told(blocks: tuple[Block, ...]) -> list[str]:
    """Every text of the blocks, each by itself, in reading order; of pictures their words."""
    texts = []
    for block in blocks:
        match block:
            case Paragraph():
                texts += [block.aside, *(run.text for run in block.runs)]
            case Table():
                texts += [block.caption, *block.columns]
                texts += [cell for row in block.rows for cell in row.cells]
            case Picture():
                texts.append(block.words)
            case Section():
                texts += [block.heading, *told(block.blocks)]
    return [each for each in texts if each]


def pdf_text(pdf: bytes) -> str:
    """What a reader of the PDF sees, page after page."""
    pages = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf)]
    return re.sub(r"\s+", " ", " ".join(pages))


def squeezed(words: str) -> str:
    """Without what a line's end changes: space, hyphens and what PDFium puts in their place."""
    return re.sub(r"[\s\-\ufffe\x02]+", "", words)


def viewed(name: str, answers: dict | None = None, language: str = "en", **given) -> View:
    rulebook, assessment = assessed(name, **(answers or {}))
    loaded, words = load_catalogue().find_active(rulebook), wording(language)
    told = translate_rulebook(loaded, language)
    return view_in(Books(loaded.rulebook, told, words), assessment, heading(**given))


WORST_ANSWERS = {
    "imaging_findings": [
        *("disc_degeneration", "disc_bulge", "disc_protrusion", "facet_degeneration"),
        *("rotator_cuff_tear", "knee_osteophytes"),
    ],
    "pain_ignores_territories": True,
    "nonphysical_triggers": True,
    "lasting_local_relief": False,
    "phq9_total": 14,
    "gad7_total": 12,
    "ace_count": 3,
    "ptsd": True,
    "rf_general": ["history_of_cancer", "unrelenting_night_pain", "unexplained_weight_loss"],
    "rf_limbs_and_joints": ["persistent_joint_swelling"],
}
LOGO = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><rect width="120" height="40" '
    b'fill="#1c4a63"/><path d="M10 30L30 8l20 22z" fill="#fff"/><circle cx="85" cy="20" r="12" '
    b'fill="none" stroke="#fff" stroke-width="4"/></svg>'
)
WORST_HEADING = {
    "patient_name": "Maria Magdalena Wilhelmina van der Heijden-Oberhofer",
    "patient_reference": "MRN-0042-2026-11",
    "birth_date": date(1982, 5, 1),
    "encounter": "V-77-2026-0815",
    "answered_on": date(2026, 11, 20),
    "answered_by": "patient",
    "clinician_reference": "GP-12 Dr. Anna Kowalska-Schmidt",
    "screening_id": "0192f0c8-6f3c-7b7e-9a51-4a8f4f3a2b10",
    "note": "Referred by the pain clinic after two years of physiotherapy. " * 6,
    "kept_at": NOW,
    "letterhead": {
        "time_zone": "America/Argentina/Buenos_Aires",
        "name": "Centre for Pain Medicine and Rehabilitation",
        "address": ["12 Long Street", "Building C, third floor", "A-1090 Wien", "+43 1 000 000"],
        "logo": LOGO,
    },
    "replaces": {"id": "0192f0c8-0000-7b7e-9a51-4a8f4f3a2b10", "on": date(2026, 10, 1)},
    "earlier": [
        {"on": date(2026, m, 5), "points": m - 2.5, "band": "few", "rulebook": "nociplastic@1.0.0"}
        for m in range(1, 7)
    ],
}
"""As much as one screening of a real clinic is likely to hold."""
