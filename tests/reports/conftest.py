"""Each example intake in turn."""

import pytest
from support.reports.report_examples import NAMES


@pytest.fixture(params=NAMES)
def example(request) -> str:
    return request.param
