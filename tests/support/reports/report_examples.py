"""Build views and documents of the example intakes as the service does."""

import json
import pickle
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pypdfium2

from reports.blocks import Block, Document, Drawing, Paragraph, Section, Table
from reports.formats import build_document
from reports.pdf.render import render_pdf
from reports.phrases import load_phrases
from reports.view.editions import Edition
from reports.view.heading import ReportHeading
from reports.view.intake import AssessedIntake
from reports.view.model import ReportView
from reports.view.view_builder import build_view
from schemas.assessments.assessment import Assessment
from scoring.answer_model import find_answer_model
from scoring.catalogue import load_catalogue
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.guidance import choose_guidance
from scoring.translations import translate_assessment, translate_rulebook

MILLIMETRE = 72 / 25.4
PAGE_TOP, PAGE_BOTTOM = 11.5 * MILLIMETRE, 10 * MILLIMETRE
"""The margins of a page, in points."""
EXAMPLES = Path(__file__).parents[3] / "api" / "contract" / "examples"
FIRST_VERSIONS = {"nociplastic": "nociplastic@1.0.0"}
"""The version of an instrument whose newest one is of the second generation."""
NAMES = ("widespread_pain", "red_flag", "too_little_known", "phq4")


class AssessedExample(NamedTuple):
    """An example intake: its rulebook, its validated answers and their assessment."""

    loaded: LoadedRulebook
    answers: dict[str, Any]
    assessment: Assessment


def assess_example(name: str, **changes) -> AssessedExample:
    """Return an example by a rulebook of the first generation; its answers can be changed."""
    intake = json.loads((EXAMPLES / f"{name}.json").read_text())
    loaded = load_catalogue().find_active(
        FIRST_VERSIONS.get(intake["rulebook"], intake["rulebook"])
    )
    answers = find_answer_model(loaded).model_validate_json(json.dumps(intake["answers"] | changes))
    valid_answers = answers.model_dump(exclude_none=True)
    return AssessedExample(loaded, valid_answers, assess(loaded, valid_answers))


NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def build_heading(**fields) -> ReportHeading:
    return ReportHeading(**({"produced_at": NOW} | fields))


def build_example_document(
    name: str, kind: str = "clinician", answers: dict | None = None, **fields
) -> Document:
    return build_document(build_example_view(name, answers, **fields), kind)


def build_example_view(
    name: str, answers: dict | None = None, language: str = "en", **heading
) -> ReportView:
    loaded, valid_answers, assessment = assess_example(name, **(answers or {}))
    return build_translated_view(
        AssessedExample(loaded, valid_answers, assessment), language, **heading
    )


def build_translated_view(
    example: AssessedExample, language: str = "en", edition: Edition = "full", **heading
) -> ReportView:
    """Return the view in this language; rulebook and assessment stay English if untranslated."""
    loaded, answers, assessment = example
    rulebook = translate_rulebook(loaded, language)
    if rulebook is None:
        rulebook, translated = loaded.rulebook, assessment
    else:
        translated = translate_assessment(loaded, language, answers, assessment)
    return build_view(
        rulebook,
        AssessedIntake(
            translated,
            answers,
            stored_assessment=assessment,
            choose_guidance=partial(choose_guidance, loaded),
        ),
        build_heading(**heading),
        load_phrases(language),
        edition=edition,
    )


_pdf_by_document: dict[bytes, bytes] = {}


def render_once(document: Document) -> bytes:
    """Return the PDF of a document, laid out once for all tests of this process."""
    key = sha256(pickle.dumps(document)).digest()
    if key not in _pdf_by_document:
        _pdf_by_document[key] = render_pdf(document)
    return _pdf_by_document[key]


def iterate_blocks(blocks: tuple[Block, ...]) -> Iterator[Block]:
    """Yield the blocks and those inside them, in reading order."""
    for block in blocks:
        yield block
        if isinstance(block, Section):
            yield from iterate_blocks(block.blocks)


def list_texts(blocks: tuple[Block, ...]) -> list[str]:
    """Return every text of the blocks in reading order; for drawings, their descriptions."""
    texts = []
    for block in blocks:
        match block:
            case Paragraph():
                texts += [block.margin_text, *(run.text for run in block.runs)]
            case Table():
                texts += [block.caption, *block.columns]
                texts += [cell for row in block.rows for cell in row.cells]
            case Drawing():
                texts.append(block.alt_text)
            case Section():
                texts += [block.heading, *list_texts(block.blocks)]
    return [text for text in texts if text]


def extract_pdf_text(pdf: bytes) -> str:
    """Return the text that a reader of the PDF sees: the bodies of its pages, then the margins."""
    bodies, margins = [], []
    for page in pypdfium2.PdfDocument(pdf):
        text, height = page.get_textpage(), page.get_height()
        top, bottom = height - PAGE_TOP, PAGE_BOTTOM
        bodies.append(text.get_text_bounded(bottom=bottom, top=top))
        margins += [text.get_text_bounded(bottom=top), text.get_text_bounded(top=bottom)]
    return re.sub(r"\s+", " ", " ".join((*bodies, *margins)))


def remove_line_breaks(text: str) -> str:
    """Return the text without all that line breaking changes: spaces and hyphens of any kind."""
    return re.sub(r"[\s\-\ufffe\x02]+", "", text)


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
    "stored_at": NOW,
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
"""As much text as a screening of a real clinic is likely to contain."""
