"""The report as PDF: equal bytes, its attachment, nothing told in the wrong place."""

import io
import json
import re

import pikepdf
import pypdfium2
import pytest
from support.report_examples import assessed, made, pdf_text, squeezed

from reports.blocks import Letters
from reports.pdf.render import LogoOnly, render
from reports.view.text_sanitiser import typeset

MARK = "Zaphod-4711"


def test_equal_views_give_equal_bytes(example):
    assert render(made(example)) == render(made(example))


def test_the_only_attachment_is_the_assessment(example):
    with pikepdf.open(io.BytesIO(render(made(example)))) as pdf:
        assert list(pdf.attachments) == ["assessment.json"]
        attached = pdf.attachments["assessment.json"].get_file().read_bytes()
        (associated,) = pdf.Root.AF
        assert associated.AFRelationship == "/Data"
    _, assessment = assessed(example)
    assert attached == assessment.model_dump_json(by_alias=True).encode()
    assert json.loads(attached)["status"] == assessment.status


def test_it_says_that_it_is_pdf_a_3a_and_pdf_ua_1_in_english(example):
    with pikepdf.open(io.BytesIO(render(made(example)))) as pdf:
        with pdf.open_metadata() as metadata:
            assert metadata.pdfa_status == "3A"
        assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf.Root.Metadata.read_bytes()
        assert pdf.Root.Lang == "en"
        assert pdf.Root.MarkInfo.Marked
        assert pdf.Root.ViewerPreferences.DisplayDocTitle


def test_every_marked_content_is_owned_by_the_element_that_names_it(example):
    with pikepdf.open(io.BytesIO(render(made(example)))) as pdf:
        numbers = pdf.Root.StructTreeRoot.ParentTree.Nums
        for place, page in enumerate(pdf.pages):
            owners = numbers[2 * place + 1]
            marked = {int(n) for n in re.findall(rb"/MCID (\d+)", page.Contents.read_bytes())}
            assert marked == {n for n, owner in enumerate(owners) if owner is not None}
            for each in marked:
                kids = owners[each].K
                assert each == kids if isinstance(kids, int) else each in list(kids)
                assert owners[each].Pg.objgen == page.obj.objgen


def test_fonts_are_embedded(example):
    with pikepdf.open(io.BytesIO(render(made(example)))) as pdf:
        descriptors = [
            each
            for each in pdf.objects
            if isinstance(each, pikepdf.Dictionary) and each.get("/Type") == "/FontDescriptor"
        ]
        assert descriptors
        assert all("/FontFile2" in each or "/FontFile3" in each for each in descriptors)


def test_metadata_tell_nothing_of_the_patient():
    heading = {"patient_name": MARK, "patient_reference": MARK, "note": MARK, "encounter": MARK}
    with pikepdf.open(io.BytesIO(render(made("widespread_pain", **heading)))) as pdf:
        assert MARK.encode() not in pdf.Root.Metadata.read_bytes()
        assert MARK not in str(dict(pdf.trailer.get("/Info", {})))
        assert MARK not in str(dict(pdf.Root))


def test_two_identifiers_stand_on_every_page():
    pdf = render(made("widespread_pain", patient_name="Ada Example", patient_reference="MRN-1"))
    for page in pypdfium2.PdfDocument(pdf):
        words = page.get_textpage().get_text_range()
        assert "Ada Example" in words
        assert "MRN-1" in words


def test_a_test_organisation_is_said_on_every_page():
    for page in pypdfium2.PdfDocument(render(made("widespread_pain", test=True))):
        assert "TEST" in page.get_textpage().get_text_range()


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script><img src=http://127.0.0.1:9/x>",
        "</p><link rel=attachment href=file:///etc/passwd>",
        "{{ 7 * 7 }} {% include 'x' %}",
        "@import url(http://127.0.0.1:9/x);",
        "x" * 3000,
        "\u202eabc\u202c שלום مرحبا Ελλάδα Привет 你好 e\u0301 \U0001f600",
        "\x01\x02\x1b[31m\x7f bell",
    ],
)
def test_hostile_text_is_shown_as_text(hostile):
    pdf = render(made("phq4", note=hostile, patient_name=hostile[:200], encounter=hostile[:200]))
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        assert list(opened.attachments) == ["assessment.json"]
    if hostile.isascii() and hostile.isprintable():
        assert squeezed(hostile) in squeezed(pdf_text(pdf))


def test_nothing_is_fetched():
    for address in ("http://127.0.0.1:9/", "file:///etc/passwd", "data:,x", "logo:", "x"):
        with pytest.raises(ValueError, match="fetches nothing"):
            LogoOnly(Letters()).fetch(address)


def test_the_report_tells_band_totals_reasons_and_limits():
    _, assessment = assessed("widespread_pain")
    words = squeezed(pdf_text(render(made("widespread_pain"))))
    for each in assessment.criteria:
        assert squeezed(typeset(each.because)) in words
    for each in assessment.limitations:
        assert squeezed(each) in words
    for each in assessment.safety.flags:
        assert squeezed(each.action) in words
    for each in assessment.patterns.list:
        assert squeezed(each.evidence) in words
    for each in assessment.next_steps:
        assert squeezed(each.certainty) in words
    for each in assessment.findings:
        assert squeezed(each.counter_evidence) in words
    assert squeezed("Predominance 18 (range 16 to 18)") in words
    assert "Strongpattern" in words
    assert assessment.rulebook_sha256 in words


def test_a_withheld_report_shows_no_points_and_no_band():
    words = pdf_text(render(made("red_flag")))
    assert "Withheld" in words
    assert "Emergency now" in words
    for word in ("range", "Predominance", "Nociceptive", "What speaks", "Strong pattern"):
        assert word not in words


def test_what_is_not_asked_of_safety_is_named():
    words = pdf_text(render(made("too_little_known")))
    assert "Not asked: Spine and nerves, Head and face" in words
