"""Generated requests over every operation, with every check on."""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from api.main import create_app
from api.settings import Settings

EXAMPLES = int(os.environ.get("NOCISCREEN_FUZZ_EXAMPLES", "40"))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    return create_app(Settings(key_file=tmp_path_factory.mktemp("key") / "key.pem"))


@pytest.fixture(scope="module")
def described(service):
    return schemathesis.openapi.from_asgi("/openapi.json", service)


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_keeps_the_contract(case, service):
    token = service.state.keys.sign("fuzz", ["score"], 900)
    case.call_and_validate(headers={"Authorization": f"Bearer {token}"})
