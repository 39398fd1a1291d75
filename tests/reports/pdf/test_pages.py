"""Pages as a reader turns them: who it is about on each, and nothing cut off from what it heads."""

import re
from datetime import date
from typing import NamedTuple

import pypdfium2
import pytest
from support.report_examples import NAMES, WORST_ANSWERS, WORST_HEADING, build_example_document

from reports.blocks import Section, Table
from reports.pdf.render import render_pdf
from reports.phrases import list_languages

CASES = [(name, {}) for name in NAMES] + [
    ("widespread_pain", {"answers": WORST_ANSWERS, **WORST_HEADING})
]
MILLIMETRE = 72 / 25.4
TOP, BOTTOM = 15 * MILLIMETRE, 13 * MILLIMETRE


class Page(NamedTuple):
    """The lines above, in and below the body of a page."""

    head: list[str]
    body: list[str]
    foot: list[str]


def read_pages(pdf: bytes) -> list[Page]:
    return [_read(page) for page in pypdfium2.PdfDocument(pdf)]


def _read(page: pypdfium2.PdfPage) -> Page:
    text, height = page.get_textpage(), page.get_height()
    bounds = (height - TOP, height), (BOTTOM, height - TOP), (0, BOTTOM)
    parts = [text.get_text_bounded(bottom=low, top=high) for low, high in bounds]
    return Page(*([line.strip() for line in part.splitlines() if line.strip()] for part in parts))


def list_heading_lines(blocks) -> set[str]:
    """Every heading and caption, and the names of columns as they stand in a row."""
    lines: set[str] = set()
    for block in blocks:
        if isinstance(block, Section):
            lines |= {block.heading} | list_heading_lines(block.blocks)
        elif isinstance(block, Table):
            lines |= {block.caption, " ".join(block.columns), block.columns[-1]}
    return lines - {""}


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("kind", ["clinician", "patient"])
@pytest.mark.parametrize(("name", "fields"), CASES, ids=[*NAMES, "extreme"])
def test_no_page_ends_with_what_heads_the_next(name, fields, kind, language):
    document = build_example_document(name, kind, language=language, **fields)
    heads = list_heading_lines(document.blocks)
    pages = read_pages(render_pdf(document))
    assert heads
    assert (len(pages) > 1) == (name in ("widespread_pain", "too_little_known"))
    assert [page.body[-1] for page in pages[:-1] if page.body[-1] in heads] == []


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("kind", ["clinician", "patient"])
@pytest.mark.parametrize("name", NAMES)
def test_every_page_bears_two_identifiers_and_its_number(name, kind, language):
    identifiers = {
        "patient_name": "Ada Example",
        "patient_reference": "MRN-0042",
        "birth_date": date(1982, 5, 1),
    }
    all_pages = read_pages(
        render_pdf(build_example_document(name, kind, language=language, **identifiers))
    )
    assert all_pages
    assert [
        page.head[0]
        for page in all_pages
        if "Ada Example" not in page.head[0] or "MRN-0042" not in page.head[0]
    ] == []
    assert [re.findall(r"\d+", page.foot[-1])[-2:] for page in all_pages] == [
        [str(number), str(len(all_pages))] for number in range(1, len(all_pages) + 1)
    ]
