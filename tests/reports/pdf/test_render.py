"""The report as PDF: equal bytes, its attachment, nothing told in the wrong place."""

import io
import json
import re

import pikepdf
import pypdfium2
import pytest
from support.reports.report_examples import (
    assess_example,
    build_example_document,
    build_example_view,
    extract_pdf_text,
    remove_line_breaks,
    render_once,
)

from reports.blocks import PrintedLetterhead
from reports.pdf.render import LogoFetcher, render_pdf
from reports.view.text_sanitiser import typeset_signs

MARK = "Zaphod-4711"


def read_page_texts(pdf: bytes) -> list[str]:
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf)]


def test_equal_views_give_equal_bytes(example):
    assert render_pdf(build_example_document(example)) == render_pdf(
        build_example_document(example)
    )


def test_the_only_attachment_is_the_assessment(example):
    with pikepdf.open(io.BytesIO(render_once(build_example_document(example)))) as pdf:
        assert list(pdf.attachments) == ["assessment.json"]
        attached = pdf.attachments["assessment.json"].get_file().read_bytes()
        (associated,) = pdf.Root.AF
        assert associated.AFRelationship == "/Data"
    assessment = assess_example(example).assessment
    assert attached == assessment.model_dump_json(by_alias=True).encode()
    assert json.loads(attached)["status"] == assessment.status


def test_it_says_that_it_is_pdf_a_3a_and_pdf_ua_1_in_english(example):
    with pikepdf.open(io.BytesIO(render_once(build_example_document(example)))) as pdf:
        with pdf.open_metadata() as metadata:
            assert metadata.pdfa_status == "3A"
        assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf.Root.Metadata.read_bytes()
        assert pdf.Root.Lang == "en"
        assert pdf.Root.MarkInfo.Marked
        assert pdf.Root.ViewerPreferences.DisplayDocTitle


def test_every_marked_content_is_owned_by_the_element_that_names_it(example):
    with pikepdf.open(io.BytesIO(render_once(build_example_document(example)))) as pdf:
        numbers = pdf.Root.StructTreeRoot.ParentTree.Nums
        assert len(pdf.pages) > 0
        for place, page in enumerate(pdf.pages):
            owners = numbers[2 * place + 1]
            marks = {int(n) for n in re.findall(rb"/MCID (\d+)", page.Contents.read_bytes())}
            assert marks == {n for n, owner in enumerate(owners) if owner is not None}
            assert marks
            for mark in marks:
                kids = owners[mark].K
                assert mark in ([kids] if isinstance(kids, int) else list(kids))
                assert owners[mark].Pg.objgen == page.obj.objgen


def test_fonts_are_embedded(example):
    with pikepdf.open(io.BytesIO(render_once(build_example_document(example)))) as pdf:
        descriptors = [
            pdf_object
            for pdf_object in pdf.objects
            if isinstance(pdf_object, pikepdf.Dictionary)
            and pdf_object.get("/Type") == "/FontDescriptor"
        ]
        assert descriptors
        assert all(
            "/FontFile2" in descriptor or "/FontFile3" in descriptor for descriptor in descriptors
        )


def test_metadata_tell_nothing_of_the_patient():
    heading = {"patient_name": MARK, "patient_reference": MARK, "note": MARK, "encounter": MARK}
    with pikepdf.open(
        io.BytesIO(render_once(build_example_document("widespread_pain", **heading)))
    ) as pdf:
        assert MARK.encode() not in pdf.Root.Metadata.read_bytes()
        assert MARK not in str(dict(pdf.trailer.get("/Info", {})))
        assert MARK not in str(dict(pdf.Root))


def test_two_identifiers_stand_on_every_page():
    pdf = render_once(
        build_example_document(
            "widespread_pain", patient_name="Ada Example", patient_reference="MRN-1"
        )
    )
    texts = read_page_texts(pdf)
    assert len(texts) == 3
    assert [text for text in texts if "Ada Example" not in text or "MRN-1" not in text] == []


def test_a_test_organisation_is_said_on_every_page():
    texts = read_page_texts(render_once(build_example_document("widespread_pain", test=True)))
    assert len(texts) == 3
    assert [text for text in texts if "TEST" not in text] == []


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
    pdf = render_once(
        build_example_document(
            "phq4", note=hostile, patient_name=hostile[:200], encounter=hostile[:200]
        )
    )
    with pikepdf.open(io.BytesIO(pdf)) as opened_pdf:
        assert list(opened_pdf.attachments) == ["assessment.json"]
    if hostile.isascii() and hostile.isprintable():
        assert remove_line_breaks(hostile) in remove_line_breaks(extract_pdf_text(pdf))


def test_nothing_is_fetched():
    for address in ("http://127.0.0.1:9/", "file:///etc/passwd", "data:,x", "logo:", "x"):
        with pytest.raises(ValueError, match="may not fetch URLs"):
            LogoFetcher(PrintedLetterhead()).fetch(address)


def test_the_report_tells_band_totals_reasons_and_limits():
    assessment = assess_example("widespread_pain").assessment
    words = remove_line_breaks(
        extract_pdf_text(render_once(build_example_document("widespread_pain")))
    )
    view = build_example_view("widespread_pain")
    for part in view.criteria:
        assert remove_line_breaks(part.open_text or part.finding) in words
        assert remove_line_breaks(part.discount_reason) in words
    for part in view.limitations:
        assert remove_line_breaks(part) in words
    for part in assessment.safety.flags:
        assert remove_line_breaks(part.action) in words
    for part in assessment.patterns.list:
        assert remove_line_breaks(part.label) in words
    for part in assessment.next_steps:
        assert remove_line_breaks(typeset_signs(part.certainty)) in words
    for part in assessment.findings:
        assert remove_line_breaks(part.counter_evidence) in words
    assert remove_line_breaks("Predominance 18 (range 16 to 18)") in words
    assert "Strongpattern" in words
    assert assessment.rulebook_sha256 in words


def test_a_withheld_report_shows_no_points_and_no_band():
    words = extract_pdf_text(render_once(build_example_document("red_flag")))
    assert "Withheld" in words
    assert "Emergency now" in words
    for word in ("range", "Predominance", "Nociceptive", "What speaks", "Strong pattern"):
        assert word not in words


def test_what_is_not_asked_of_safety_is_named():
    words = extract_pdf_text(render_once(build_example_document("too_little_known")))
    assert "Not asked: Spine and nerves, Head and face" in words
