"""Both kinds of signed token, each with a key of each algorithm; the clock stands still."""

import pytest
import time_machine
from support.faults.forged_tokens import NOW
from support.faults.token_targets import Target, make_target


@pytest.fixture(autouse=True)
def _clock_at_now():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(
    scope="session",
    params=[
        "access ES256",
        "access ES384",
        "assertion ES256",
        "assertion ES384",
        "assertion RS384",
        "assertion RS256",
    ],
)
def target(request: pytest.FixtureRequest) -> Target:
    return make_target(*request.param.split())


@pytest.fixture(scope="session")
def access() -> Target:
    return make_target("access", "ES256")


@pytest.fixture(scope="session")
def assertion() -> Target:
    return make_target("assertion", "ES384")
