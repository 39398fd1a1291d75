"""Fixtures of all tests: stores on each database, services, clients; Hypothesis profiles."""

import gc
import os
import re
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from zlib import crc32

import pytest
import structlog
import typer.main
import typer.testing
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, settings
from starlette.testclient import TestClient
from support import builders
from support.browser.chromium import CHROMIUM, PROGRAMS
from support.builders import Clinic, build_fixture_settings, copy_empty_store
from support.callers import bearing, calling, replace_service
from support.sample import IS_SAMPLE
from support.second_release import load_released_catalogue
from support.servers.postgres import Postgres

from api.documents.render_pool import InProcessRenderer
from api.main import Service, create_app
from api.settings import Settings
from api.store.database import migrate
from api.store.database.engine import open_postgres as postgres_database
from api.store.operations.startup import open_store
from api.store.store import Store
from scoring.catalogue import Catalogue, load_catalogue
from scoring.compiled_rulebook import LoadedRulebook

SLOW_DRAWING = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "normal",
    derandomize=True,
    deadline=None,
    max_examples=100,
    database=None,
    suppress_health_check=SLOW_DRAWING,
)
settings.register_profile("sample", settings.get_profile("normal"), max_examples=25)
settings.register_profile(
    "deep", deadline=None, max_examples=2_000, database=None, suppress_health_check=SLOW_DRAWING
)
settings.register_profile(
    "mutation",
    settings.get_profile("normal"),
    max_examples=10,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "sample" if IS_SAMPLE else "normal"))
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.set_exc_info,
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)
"""Tracebacks as Python writes them: colours and frames cost more than the requests they are of."""

DATABASES = ("sqlite", "postgres")
ON_BOTH_DATABASES = "tests/api/store/database/"
COSTLY = ("tests/browser/", "tests/reports/formats/", "tests/reports/pdf/")
ALTERNATIVES = ("language", "size")
"""Parameters of which a costly test gets one value in the everyday suite."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For `make test`, keep one of the tests that differ only in an alternative, by their name."""
    if IS_SAMPLE:
        alternatives: dict[str, list[pytest.Item]] = {}
        for item in items:
            alternatives.setdefault(name_without_alternatives(item), []).append(item)
        chosen_tests = {
            tests[crc32(name.encode()) % len(tests)] for name, tests in alternatives.items()
        }
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen_tests])
        items[:] = [item for item in items if item in chosen_tests]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected, and later pass over what was there then."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def name_without_alternatives(item: pytest.Item) -> str:
    """Return the name of a test without its database and, if it is costly, language and size."""
    function, _, values = item.nodeid.partition("[")
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    for name, value in parameters.items():
        is_database = value in DATABASES if isinstance(value, str) else False
        if (is_database and not function.startswith(ON_BOTH_DATABASES)) or (
            name in ALTERNATIVES and function.startswith(COSTLY)
        ):
            values = re.sub(rf"(?<![^-]){re.escape(str(value))}(?![^-\]])", "", values)
    return function + values


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was not looked at, and how to look."""
    if CHROMIUM is None:
        terminalreporter.write_line(
            "No Chromium: the tests in tests/browser were skipped. Get it: "
            f"apt-get install {PROGRAMS[0]}"
        )


@pytest.fixture(scope="session", autouse=True)
def request_loop() -> Iterator[None]:
    """One event loop for all requests to services in this process, as a server has it."""
    with start_blocking_portal() as portal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(TestClient, "portal", portal)
        yield


@pytest.fixture(scope="session", autouse=True)
def built_program() -> Iterator[None]:
    """The program of the command line, built once: that takes longer than most commands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def nociplastic() -> LoadedRulebook:
    return load_catalogue().find_version("nociplastic@1.0.0")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A cluster for this run of tests."""
    cluster = Postgres(tmp_path_factory.mktemp("postgres"))
    yield cluster
    cluster.stop("immediate")


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The name of a database with the tables of this release, to be copied."""
    name = postgres.database()
    database = postgres_database(postgres.url(name))
    migrate.upgrade(database)
    database.engine.dispose()
    return name


@pytest.fixture(params=DATABASES)
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an empty store, on each database."""
    return build_fixture_settings(request, tmp_path)


@pytest.fixture
def own_store(store_settings: Settings) -> Iterator[Store]:
    """An empty store for one test, on each database."""
    empty_store = open_store(store_settings)
    yield empty_store
    empty_store.close()


def serving(settings: Settings, rulebooks: Catalogue | None = None) -> Iterator[Service]:
    service = create_app(settings, rulebooks)
    yield service
    service.services.denied_requests.flush()
    service.services.renderer.close()
    service.services.store.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from serving(copy_empty_store(tmp_path_factory.mktemp("service")))


@pytest.fixture(scope="session")
def second_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service in which nociplastic 2.0.0 is active."""
    settings = copy_empty_store(tmp_path_factory.mktemp("second"))
    for service in serving(settings, load_released_catalogue()):
        replace_service(service, renderer=InProcessRenderer())
        yield service


@pytest.fixture(scope="session")
def anonymous(service: Service) -> TestClient:
    return bearing(service)


@pytest.fixture(scope="session")
def clinic(service: Service) -> Clinic:
    return builders.clinic(service.services.store)


@pytest.fixture
def token(service: Service, clinic: Clinic) -> str:
    """A new one each time: tokens live for minutes, a run of all tests for longer."""
    return builders.token(service.services.store, service.services.access_tokens, clinic)


@pytest.fixture
def client(service: Service, token: str) -> TestClient:
    return bearing(service, token)


@pytest.fixture
def intake() -> dict:
    body = builders.request()
    del body["patient"]
    return body | {"patient": {"reference": "MRN-0042"}}


@pytest.fixture(scope="session", params=DATABASES)
def kept_settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of a store that all tests of one database share, each with a clinic of its own."""
    return build_fixture_settings(request, tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="session")
def kept_service(kept_settings: Settings) -> Iterator[Service]:
    yield from serving(kept_settings)


@pytest.fixture
def store(kept_service: Service) -> Store:
    """The store that all tests of one database share, each with a clinic of its own."""
    return kept_service.services.store


@pytest.fixture
def kept_clinic(kept_service: Service) -> Clinic:
    return builders.clinic(kept_service.services.store)


@pytest.fixture
def kept_client(kept_service: Service, kept_clinic: Clinic) -> TestClient:
    return calling(kept_service, kept_clinic)


@pytest.fixture
def kept_anonymous(kept_service: Service) -> TestClient:
    return bearing(kept_service)


@pytest.fixture
def other_clinic(kept_service: Service) -> Clinic:
    return builders.clinic(kept_service.services.store, "Other clinic")


@pytest.fixture
def other_client(kept_service: Service, other_clinic: Clinic) -> TestClient:
    return calling(kept_service, other_clinic)
