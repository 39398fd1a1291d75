"""The whole clinician's report, fonts and attachment included, fits where charts take it."""

import io
import random

import pypdfium2
import pytest
from PIL import Image
from support.reports.report_examples import (
    NAMES,
    WORST_ANSWERS,
    WORST_HEADING,
    build_example_document,
    render_once,
)

from reports.logo import MAX_LOGO_BYTES
from reports.phrases import list_languages

MAX_BYTES = 49_000


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("name", NAMES)
def test_an_example_fits(name, language):
    assert len(render_once(build_example_document(name, language=language))) <= MAX_BYTES


def build_noise_logo() -> bytes:
    """As large a logo as may be set: a PNG that cannot be made any smaller."""
    random_source = random.Random(4711)
    picture = Image.frombytes("L", (62, 62), random_source.randbytes(62 * 62))
    png_file = io.BytesIO()
    picture.save(png_file, "PNG")
    return png_file.getvalue()


def build_noise_note() -> str:
    """Return a long note of words that don't repeat, so that it can't be made any smaller."""
    random_source = random.Random(4711)
    return " ".join("".join(random_source.choices("abcdefghijkl", k=7)) for _ in range(900))


def has_logo(pdf: bytes) -> bool:
    page = pypdfium2.PdfDocument(pdf)[0]
    return bool(list(page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])))


@pytest.mark.parametrize("language", list_languages())
def test_an_ordinary_report_bears_the_largest_logo(language):
    assert MAX_LOGO_BYTES - 100 < len(build_noise_logo()) <= MAX_LOGO_BYTES
    letters = {"name": "Clinic", "logo": build_noise_logo()}
    pdf = render_once(
        build_example_document("widespread_pain", language=language, letterhead=letters)
    )
    assert has_logo(pdf)
    assert len(pdf) <= MAX_BYTES


@pytest.mark.parametrize("language", list_languages())
def test_the_longest_report_goes_without_a_large_logo_rather_than_not_into_the_chart(language):
    letters = WORST_HEADING["letterhead"] | {"logo": build_noise_logo()}
    note = {"note": build_noise_note(), "letterhead": letters}
    fields = {"answers": WORST_ANSWERS, "language": language, **WORST_HEADING}
    pdf = render_once(build_example_document("widespread_pain", **fields | note))
    assert not has_logo(pdf)
    assert len(pdf) <= MAX_BYTES


@pytest.mark.parametrize("language", list_languages())
def test_as_much_as_a_real_screening_is_likely_to_hold_fits(language):
    fields = {"answers": WORST_ANSWERS, "language": language, **WORST_HEADING}
    assert len(render_once(build_example_document("widespread_pain", **fields))) <= MAX_BYTES
