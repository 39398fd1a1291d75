"""Pages as a reader turns them: who it is about on each, and nothing cut off from what it heads."""

import re
from datetime import date
from typing import NamedTuple

import pypdfium2
import pytest
from support.reports.report_examples import (
    NAMES,
    PAGE_BOTTOM,
    PAGE_TOP,
    WORST_ANSWERS,
    WORST_HEADING,
    build_example_document,
    render_once,
)

from reports.blocks import Section, Table
from reports.phrases import list_languages

CASES = {
    **{name: (name, {}) for name in NAMES},
    "extreme": ("widespread_pain", {"answers": WORST_ANSWERS, **WORST_HEADING}),
    "evidence": ("widespread_pain", {"answers": {"rf_general": []}}),
}
LONG_DOCUMENTS = {
    *(("widespread_pain", "clinician"), ("too_little_known", "clinician")),
    *(("extreme", "clinician"), ("evidence", "clinician"), ("evidence", "patient")),
}
"""The documents of more than one page."""


class Page(NamedTuple):
    """The lines above, in and below the body of a page."""

    head: list[str]
    body: list[str]
    foot: list[str]


def read_pages(pdf: bytes) -> list[Page]:
    return [_read(page) for page in pypdfium2.PdfDocument(pdf)]


def _read(page: pypdfium2.PdfPage) -> Page:
    text, height = page.get_textpage(), page.get_height()
    bounds = (height - PAGE_TOP, height), (PAGE_BOTTOM, height - PAGE_TOP), (0, PAGE_BOTTOM)
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
@pytest.mark.parametrize("case", CASES)
def test_no_page_ends_with_what_heads_the_next(case, kind, language):
    name, fields = CASES[case]
    document = build_example_document(name, kind, language=language, **fields)
    heads = list_heading_lines(document.blocks)
    pages = read_pages(render_once(document))
    assert heads
    assert (len(pages) > 1) == ((case, kind) in LONG_DOCUMENTS)
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
        render_once(build_example_document(name, kind, language=language, **identifiers))
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
