"""The letterhead: what an organisation may set, checked before it is kept."""

import io
from datetime import UTC, datetime

import pytest
from PIL import Image
from pydantic import ValidationError
from support.reports.report_examples import LOGO, build_example_document, list_texts

from reports.formats.html import render_html
from reports.logo import MAX_LOGO_BYTES
from reports.pdf.render import render_pdf
from reports.view.heading import Letterhead, ReportHeading

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'


def build_png(**options) -> bytes:
    expected_text = io.BytesIO()
    Image.new("RGB", (1, 1), "navy").save(expected_text, "PNG", **options)
    return expected_text.getvalue()


PNG = build_png()


@pytest.mark.parametrize("logo", [LOGO, PNG], ids=["svg", "png"])
def test_a_plain_logo_is_taken_and_shown(logo):
    document = build_example_document("phq4", letterhead={"name": "Clinic", "logo": logo})
    assert "data:image/" in render_html(document)
    assert render_pdf(document).startswith(b"%PDF-")


@pytest.mark.parametrize(
    "logo",
    [
        b"",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        PNG[:40],
        PNG.replace(PNG[16:24], b"\x00\x01\x00\x00\x00\x00\x00\x01", 1),
        b"<svg>",
        b'<!DOCTYPE svg [<!ENTITY x "y">]>' + SVG.format("").encode(),
        SVG.format("<script>alert(1)</script>").encode(),
        SVG.format('<image href="http://127.0.0.1:9/x"/>').encode(),
        SVG.format('<use href="#x"/>').encode(),
        SVG.format('<rect onload="alert(1)"/>').encode(),
        SVG.format('<rect style="fill:red"/>').encode(),
        SVG.format('<rect fill="url(http://127.0.0.1:9/x)"/>').encode(),
        SVG.format("<foreignObject/>").encode(),
        SVG.format(f'<path d="{"M0 0" * MAX_LOGO_BYTES}"/>').encode(),
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        PNG.replace(b"IDAT\x78", b"IDAT\x00"),
        PNG.replace(b"IDAT", b"IDAX"),
        build_png(save_all=True, append_images=[Image.new("RGB", (1, 1), "red")]),
        PNG + b"<script>alert(1)</script>",
    ],
)
def test_anything_else_is_refused(logo):
    with pytest.raises(ValidationError):
        Letterhead(logo=logo)


def build_svg(view_box: str, attributes: str = "") -> bytes:
    shapes = '<rect width="9" height="9"/>'
    return SVG.format(shapes).replace('"0 0 9 9"', f'"{view_box}" {attributes}').encode()


@pytest.mark.parametrize(
    "view_box",
    ["0 0 1e-300 1e300", "0 0 9", "0 0 9 9 9", "0 0 0 9", "0 0 -9 9", "0 0 9 nan", "0 0 inf inf",
     "x", "", "0 0 .99 9", "0 0 10000.1 900", "0 0 20.1 1", "0 0 1 20.1", "-10001 0 9 9"],
)  # fmt: skip
def test_a_picture_that_cannot_be_laid_out_is_refused(view_box):
    with pytest.raises(ValidationError, match="viewBox"):
        Letterhead(logo=build_svg(view_box))


@pytest.mark.parametrize("view_box", ["0 0 1 20", "-5, +5. 10000 500", "0 0 1 1"])
def test_a_picture_on_the_line_is_laid_out(view_box):
    document = build_example_document(
        "phq4", letterhead={"name": "Clinic", "logo": build_svg(view_box)}
    )
    assert render_pdf(document).startswith(b"%PDF-")


def test_a_size_that_a_picture_gives_itself_is_left_out():
    logo = build_svg("0 0 9 9", 'width="1e-300" height="1e300"')
    assert b"1e" not in Letterhead(logo=logo).logo
    assert render_pdf(build_example_document("phq4", letterhead={"logo": logo})).startswith(
        b"%PDF-"
    )


def test_the_day_of_production_is_the_day_where_the_organisation_is():
    late = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    assert ReportHeading(produced_at=late).produced_on.day == 24
    vienna = Letterhead(time_zone="Europe/Vienna")
    assert ReportHeading(produced_at=late, letterhead=vienna).produced_on.day == 25


def test_a_moment_is_written_by_the_clock_of_the_organisation_in_its_language():
    stored_at = datetime(2026, 6, 30, 22, 5, tzinfo=UTC)
    vienna = {"time_zone": "Europe/Vienna"}
    for language, expected_text in (
        ("en", "1 July 2026, 00:05 (Europe/Vienna)"),
        ("de", "1. Juli 2026, 00:05 Uhr (Europe/Vienna)"),
        ("es", "1 de julio de 2026, 00:05 (Europe/Vienna)"),
    ):
        texts = list_texts(
            build_example_document(
                "phq4", language=language, stored_at=stored_at, letterhead=vienna
            ).blocks
        )
        assert expected_text in texts


def test_a_time_without_its_zone_and_an_unknown_zone_are_refused():
    with pytest.raises(ValidationError, match="time zone"):
        ReportHeading(produced_at=datetime(2026, 11, 24))  # noqa: DTZ001 - the point of it
    for name in ("Mars/Olympus", "../../etc/passwd", ""):
        with pytest.raises(ValidationError):
            Letterhead(time_zone=name)
