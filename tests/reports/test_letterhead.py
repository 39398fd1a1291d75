"""The letterhead: what an organisation may set, checked before it is kept."""

from datetime import UTC, datetime

import pytest
from examples import LOGO, made
from pydantic import ValidationError

from reports.heading import Heading, Letterhead
from reports.html import page
from reports.logo import LOGO_BYTES
from reports.pdf import render

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c6360000000"
    "020001e221bc330000000049454e44ae426082"
)


@pytest.mark.parametrize("logo", [LOGO, PNG], ids=["svg", "png"])
def test_a_plain_logo_is_taken_and_shown(logo):
    document = made("phq4", letterhead={"name": "Clinic", "logo": logo})
    assert "data:image/" in page(document)
    assert render(document).startswith(b"%PDF-")


@pytest.mark.parametrize(
    "logo",
    [
        b"",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        PNG[:40],
        PNG.replace(b"\x00\x00\x00\x01\x00\x00\x00\x01", b"\x00\x01\x00\x00\x00\x00\x00\x01", 1),
        b"<svg>",
        b'<!DOCTYPE svg [<!ENTITY x "y">]>' + SVG.format("").encode(),
        SVG.format("<script>alert(1)</script>").encode(),
        SVG.format('<image href="http://127.0.0.1:9/x"/>').encode(),
        SVG.format('<use href="#x"/>').encode(),
        SVG.format('<rect onload="alert(1)"/>').encode(),
        SVG.format('<rect style="fill:red"/>').encode(),
        SVG.format('<rect fill="url(http://127.0.0.1:9/x)"/>').encode(),
        SVG.format("<foreignObject/>").encode(),
        SVG.format(f'<path d="{"M0 0" * LOGO_BYTES}"/>').encode(),
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    ],
)
def test_anything_else_is_refused(logo):
    with pytest.raises(ValidationError):
        Letterhead(logo=logo)


def test_the_day_of_production_is_the_day_where_the_organisation_is():
    late = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    assert Heading(produced_at=late).produced_on.day == 24
    vienna = Letterhead(time_zone="Europe/Vienna")
    assert Heading(produced_at=late, letterhead=vienna).produced_on.day == 25


def test_a_time_without_its_zone_and_an_unknown_zone_are_refused():
    with pytest.raises(ValidationError, match="time zone"):
        Heading(produced_at=datetime(2026, 11, 24))  # noqa: DTZ001 - the point of it
    for name in ("Mars/Olympus", "../../etc/passwd", ""):
        with pytest.raises(ValidationError):
            Letterhead(time_zone=name)
