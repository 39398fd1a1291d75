"""How every test here runs: properties draw the same examples each time, and hurry nobody."""

import os

import pytest
from hypothesis import HealthCheck, settings

from scoring.catalogue import catalogue
from scoring.loaded import LoadedRulebook

SLOW_DRAWING = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "normal",
    derandomize=True,
    deadline=None,
    max_examples=100,
    database=None,
    suppress_health_check=SLOW_DRAWING,
)
settings.register_profile(
    "deep", deadline=None, max_examples=2_000, database=None, suppress_health_check=SLOW_DRAWING
)
settings.register_profile("mutation", settings.get_profile("normal"), max_examples=10)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "normal"))


@pytest.fixture(scope="session")
def nociplastic() -> LoadedRulebook:
    return catalogue().active("nociplastic")
