"""The whole clinician's report, fonts and attachment included, fits where charts take it."""

import io
import random

import pypdfium2
import pytest
from PIL import Image
from support.report_examples import NAMES, WORST_ANSWERS, WORST_HEADING, made

from reports.logo import LOGO_BYTES
from reports.pdf.render import render
from reports.phrases import languages

MOST = 49_000


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("name", NAMES)
def test_an_example_fits(name, language):
    assert len(render(made(name, language=language))) <= MOST


def noise() -> bytes:
    """As large a logo as may be set: a PNG that cannot be made any smaller."""
    drawn = random.Random(4711)
    picture = Image.frombytes("L", (62, 62), drawn.randbytes(62 * 62))
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def has_logo(pdf: bytes) -> bool:
    page = pypdfium2.PdfDocument(pdf)[0]
    return bool(list(page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])))


@pytest.mark.parametrize("language", languages())
def test_an_ordinary_report_bears_the_largest_logo(language):
    assert LOGO_BYTES - 100 < len(noise()) <= LOGO_BYTES
    letters = {"name": "Clinic", "logo": noise()}
    pdf = render(made("widespread_pain", language=language, letterhead=letters))
    assert has_logo(pdf)
    assert len(pdf) <= MOST


@pytest.mark.parametrize("language", languages())
def test_the_longest_report_goes_without_a_large_logo_rather_than_not_into_the_chart(language):
    letters = WORST_HEADING["letterhead"] | {"logo": noise()}
    given = {"answers": WORST_ANSWERS, "language": language, **WORST_HEADING}
    pdf = render(made("widespread_pain", **given | {"letterhead": letters}))
    assert not has_logo(pdf)
    assert len(pdf) <= MOST


@pytest.mark.parametrize("language", languages())
def test_as_much_as_a_real_screening_is_likely_to_hold_fits(language):
    given = {"answers": WORST_ANSWERS, "language": language, **WORST_HEADING}
    assert len(render(made("widespread_pain", **given))) <= MOST
