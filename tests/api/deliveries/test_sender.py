"""The sender's schedule of retries."""

import pytest

from api.deliveries.sender import compute_retry_delay


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 5), (2, 10), (10, 2560), (11, 3600), (30, 3600)]
)
def test_the_delay_doubles_up_to_an_hour(attempts, seconds):
    assert compute_retry_delay(attempts) == seconds
