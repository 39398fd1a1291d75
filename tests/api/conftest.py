"""A service with a key of its own, a client to call it, and a token that opens it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.main import Service, create_app
from api.settings import Settings


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    app = create_app(Settings(key_file=tmp_path_factory.mktemp("key") / "key.pem"))
    yield app
    app.state.renderer.close()


@pytest.fixture(scope="session")
def anonymous(service: Service) -> TestClient:
    return TestClient(service, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def token(service: Service) -> str:
    return service.state.keys.sign("hospital", ["score"], 900)


@pytest.fixture(scope="session")
def client(service: Service, token: str) -> TestClient:
    headers = {"Authorization": f"Bearer {token}"}
    return TestClient(service, headers=headers, raise_server_exceptions=False)


@pytest.fixture
def intake() -> dict:
    file = Path(__file__).parents[2] / "api" / "examples" / "widespread_pain.json"
    return json.loads(file.read_text())
