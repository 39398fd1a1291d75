"""Services with clinics to call them: one on SQLite, and for what is kept, one on each database."""

from collections.abc import Iterator

import keeping
import pytest
from calling import bearing, calling
from keeping import Clinic, kept_in, kept_on
from starlette.testclient import TestClient

from api.main import Service, create_app
from api.settings import Settings


def serving(settings: Settings) -> Iterator[Service]:
    service = create_app(settings)
    yield service
    service.state.refusals.flush()
    service.state.renderer.close()
    service.state.store.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from serving(kept_in(tmp_path_factory.mktemp("service")))


@pytest.fixture(scope="session")
def anonymous(service: Service) -> TestClient:
    return bearing(service)


@pytest.fixture(scope="session")
def clinic(service: Service) -> Clinic:
    return keeping.clinic(service.state.store)


@pytest.fixture
def token(service: Service, clinic: Clinic) -> str:
    """A new one each time: tokens live for minutes, a run of all tests for longer."""
    return keeping.token(service.state.store, service.state.tokens, clinic)


@pytest.fixture
def client(service: Service, token: str) -> TestClient:
    return bearing(service, token)


@pytest.fixture
def intake() -> dict:
    body = keeping.request()
    del body["patient"]
    return body | {"patient": {"reference": "MRN-0042"}}


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def kept_settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of a store that all tests of one database share, each with a clinic of its own."""
    return kept_on(request, tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="session")
def kept_service(kept_settings: Settings) -> Iterator[Service]:
    yield from serving(kept_settings)


@pytest.fixture
def kept_clinic(kept_service: Service) -> Clinic:
    return keeping.clinic(kept_service.state.store)


@pytest.fixture
def kept_client(kept_service: Service, kept_clinic: Clinic) -> TestClient:
    return calling(kept_service, kept_clinic)


@pytest.fixture
def kept_anonymous(kept_service: Service) -> TestClient:
    return bearing(kept_service)


@pytest.fixture
def other_clinic(kept_service: Service) -> Clinic:
    return keeping.clinic(kept_service.state.store, "Other clinic")


@pytest.fixture
def other_client(kept_service: Service, other_clinic: Clinic) -> TestClient:
    return calling(kept_service, other_clinic)
