"""Views of the example intakes, made as the service makes them."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2

from reports.blocks import Block, Document, Paragraph, Picture, Section, Table
from reports.formats import document
from reports.heading import Heading
from reports.lines import View
from reports.view import view
from schemas.assessment import Assessment
from scoring.answers import answer_model
from scoring.catalogue import catalogue
from scoring.engine import assess

EXAMPLES = Path(__file__).parents[2] / "api" / "examples"
NAMES = ("widespread_pain", "red_flag", "too_little_known", "phq4")


def assessed(name: str, **changed) -> tuple[str, Assessment]:
    intake = json.loads((EXAMPLES / f"{name}.json").read_text())
    loaded = catalogue().active(intake["rulebook"])
    given = json.dumps(intake["answers"] | changed)
    answers = answer_model(loaded.rulebook).model_validate_json(given)
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


def viewed(name: str, answers: dict | None = None, **given) -> View:
    rulebook, assessment = assessed(name, **(answers or {}))
    return view(catalogue().active(rulebook).rulebook, assessment, heading(**given))
