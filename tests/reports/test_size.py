"""The whole clinician's report, fonts and attachment included, fits where charts take it."""

import pytest
from examples import NAMES, WORST_ANSWERS, WORST_HEADING, made

from reports.pdf import render
from reports.wording import languages

MOST = 49_000


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("name", NAMES)
def test_an_example_fits(name, language):
    assert len(render(made(name, language=language))) <= MOST


@pytest.mark.parametrize("language", languages())
def test_as_much_as_a_real_screening_is_likely_to_hold_fits(language):
    given = {"answers": WORST_ANSWERS, "language": language, **WORST_HEADING}
    assert len(render(made("widespread_pain", **given))) <= MOST
