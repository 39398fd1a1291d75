"""Two rows of `make bench`: the clinician's report beside Typst, and two workers beside one.

Typst sets the same words, tables and pictures in the same fonts from the same blocks. It runs warm,
as ours does, but it remembers what it has set before: so in every turn every text ends in another
number, as every patient's report differs.
"""

import itertools
import json
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import typst

from api.documents.render_pool import RendererPool
from bench.load import repeat
from bench.service import ROOT
from reports.blocks import Block, Document, Drawing, Paragraph, Section, Table
from reports.font_coverage import FONT_FOLDER
from reports.pdf.render import render_pdf
from reports.svg import anchor_at_start

SECONDS = 1.5
JOBS = 12
BESIDE_TYPST = 0.2
ENDING = "\ue000"
TWO_BESIDE_ONE = 1.7


def reports(figure: Callable) -> list:
    """The rows, made by the way of measuring that `bench.run` has."""
    document = _document()
    with tempfile.TemporaryDirectory() as folder:
        source = _source(document, Path(folder))
        file = Path(folder) / "report.typ"
        turns = itertools.count()

        def compiled() -> bytes:
            file.write_text(source.replace(ENDING, str(next(turns))), encoding="utf-8")
            return typst.compile(file, root=folder, font_paths=[str(FONT_FOLDER)], format="pdf")

        beside = figure(
            "clinician's report : Typst on the same content",
            repeat(lambda: render_pdf(document), SECONDS),
            repeat(compiled, SECONDS),
            BESIDE_TYPST,
        )
    one, two = RendererPool(1, 8, 60.0), RendererPool(2, 8, 60.0)
    try:
        workers = figure(
            "reports on 2 workers : on 1",
            _rate_of_many(two, document),
            _rate_of_many(one, document),
            TWO_BESIDE_ONE,
        )
    finally:
        one.close()
        two.close()
    return [beside, workers]


def _document() -> Document:
    sys.path.insert(0, str(ROOT / "tests"))
    from support.reports.report_examples import build_example_document

    return build_example_document(
        "widespread_pain", patient_name="Ada Example", patient_reference="MRN-0042"
    )


def _rate_of_many(renderer: RendererPool, document: Document) -> Callable[[], float]:
    """Four callers at once, each waiting for its report."""

    def render_many() -> None:
        with ThreadPoolExecutor(4) as callers:
            list(callers.map(lambda _: renderer.render(document), range(JOBS)))

    return repeat(render_many, 0.0, JOBS)


def _source(document: Document, folder: Path) -> str:
    head = (
        '#set page(paper: "a4", margin: (x: 16mm, y: 15mm), numbering: "1 / 1")\n'
        '#set text(font: "Nociscreen Sans", size: 8.6pt)\n'
        "#set table(stroke: none, inset: (x: 2pt, y: 1pt))\n"
        f"#set document(title: {_string(document.title)})\n= {_call(document.title)}\n"
    )
    return head + "\n\n".join(_translate(block, folder) for block in document.blocks)


def _translate(block: Block, folder: Path) -> str:
    match block:
        case Paragraph():
            aside = f"{_call(block.margin_text)} " if block.margin_text else ""
            runs = (
                f"#strong{_call(r.text)[5:]}" if r.strong else _call(r.text) for r in block.runs
            )
            return aside + "".join(runs)
        case Drawing():
            name = f"{block.role}.svg"
            (folder / name).write_text(anchor_at_start(block.svg), encoding="utf-8")
            return f'#image("{name}", width: 100%, alt: {_string(block.alt_text)})'
        case Table():
            columns = ", ".join(["auto"] * (len(block.columns) - 1) + ["1fr"])
            head = ", ".join(f"[{_call(column)}]" for column in block.columns)
            cells = ", ".join(f"[{_call(cell)}]" for row in block.rows for cell in row.cells)
            return f"#table(columns: ({columns}), table.header({head}), {cells})"
        case Section():
            content = "\n\n".join(_translate(part, folder) for part in block.blocks)
            return f"== {_call(block.heading)}\n{content}" if block.heading else content


def _call(text: str) -> str:
    return f"#text({_string(text + ENDING)})"


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
