"""The names of WeasyPrint and pydyf that we use without being documented still exist.

If one fails after an update, read reports/pdf again before the versions in pyproject.toml change.
"""

import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path

import pydyf
import pytest
import weasyprint

from reports.pdf.render import _Page

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
DEPENDENCIES = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["dependencies"]


@pytest.fixture(scope="module")
def finished_pdf():
    """The pydyf PDF of a tagged page as WeasyPrint hands it to a finisher."""
    pdfs = []
    page = '<html lang="en"><title>t</title><body><h1>a</h1><table><tr><th>b</th><td>c</td></tr>'
    weasyprint.HTML(string=page).write_pdf(
        pdf_variant="pdf/a-3a", pdf_tags=True, finisher=lambda _, pdf: pdfs.append(pdf)
    )
    (pdf,) = pdfs
    return pdf


@pytest.mark.parametrize("package", ["weasyprint", "pydyf"])
def test_the_version_is_pinned_exactly(package):
    (pin,) = [line for line in DEPENDENCIES if line.startswith(f"{package}==")]
    assert pin == f"{package}=={version(package)}"


def test_weasyprint_takes_the_style_sheets_of_our_page():
    original = inspect.signature(weasyprint.HTML._ua_stylesheets)
    assert inspect.signature(_Page._ua_stylesheets).parameters.keys() == original.parameters.keys()
    assert "finisher" in inspect.signature(weasyprint.HTML.write_pdf).parameters


def test_a_page_of_weasyprint_has_the_attributes_that_ours_sets():
    ordinary = vars(weasyprint.HTML(string="<p>a"))
    assert ordinary.keys() == {
        *("base_url", "url_fetcher", "media_type", "wrapper_element", "etree_element")
    }


def test_the_writer_of_a_pdf_can_be_replaced(finished_pdf):
    assert list(inspect.signature(pydyf.PDF.write).parameters)[:2] == ["self", "output"]
    assert callable(finished_pdf.add_object)


def test_objects_have_number_reference_data_and_kind(finished_pdf):
    assert [obj.number for obj in finished_pdf.objects] == list(range(len(finished_pdf.objects)))
    for obj in finished_pdf.objects[1:]:
        assert obj.reference == b"%d 0 R" % obj.number
        assert isinstance(obj.compressible, bool)
        assert isinstance(obj.data, bytes)


def test_streams_have_parts_keys_and_a_mark_for_compression(finished_pdf):
    streams = [obj for obj in finished_pdf.objects if isinstance(obj, pydyf.Stream)]
    assert streams
    for stream in streams:
        assert isinstance(stream.stream, list | tuple)
        assert isinstance(stream.extra, dict)
        assert hasattr(stream, "compress")
    assert [stream for stream in streams if type(stream) is not pydyf.Stream]
    assert [stream for stream in streams if stream.extra.get("N") == 3]


def test_the_structure_tree_is_where_we_read_it(finished_pdf):
    root = finished_pdf.objects[int(finished_pdf.catalog["StructTreeRoot"].split()[0])]
    owners = finished_pdf.objects[int(root["ParentTree"].split()[0])]["Nums"]
    assert [page for page in owners[1::2] if isinstance(page, list)]
    elements = [
        obj
        for obj in finished_pdf.objects
        if isinstance(obj, pydyf.Dictionary) and obj.get("Type") == "/StructElem"
    ]
    assert {"/H1", "/TH", "/TD"} <= {element["S"] for element in elements}
    assert all(isinstance(element["K"], list) for element in elements)


def test_fonts_are_composite_with_widths_and_a_map_to_characters(finished_pdf):
    fonts = [
        obj
        for obj in finished_pdf.objects
        if isinstance(obj, pydyf.Dictionary) and obj.get("Subtype") == "/Type0"
    ]
    assert fonts
    for font in fonts:
        (descendant,) = font["DescendantFonts"]
        assert "W" in finished_pdf.objects[int(descendant.split()[0])]
        assert b"+" in font["BaseFont"]
        assert "ToUnicode" in font
