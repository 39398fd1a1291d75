"""The scale: where bands start, in hundredths."""

import pytest

from schemas.rulebooks.rulebook import Band
from scoring.weighing import find_band_start


@pytest.mark.parametrize(
    ("edge", "start"), [({}, None), ({"from": 2}, 200), ({"above": 2}, 201), ({"from": 0}, 0)]
)
def test_a_band_starts_at_its_edge_or_right_above_it(edge, start):
    band = Band.model_validate({"id": "b", "label": "B", "meaning": "M"} | edge)
    assert find_band_start(band) == start
