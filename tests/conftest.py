"""How every test here runs: properties draw the same examples each time, and hurry nobody."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from keeping import kept_in
from postgres import Postgres

from api.settings import Settings
from api.store import migrate
from api.store.database import postgres as postgres_database
from api.store.opening import open_store
from api.store.store import Store
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was not looked at, and how to look."""
    if not any(map(shutil.which, ("chromium", "chromium-browser"))):
        terminalreporter.write_line(
            "No Chromium: the tests in tests/browser were skipped. Get it: apt-get install chromium"
        )


@pytest.fixture(scope="session")
def nociplastic() -> LoadedRulebook:
    return catalogue().active("nociplastic")


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


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an empty store, on each database in turn."""
    if request.param == "sqlite":
        return kept_in(tmp_path)
    cluster: Postgres = request.getfixturevalue("postgres")
    name = cluster.database(template=request.getfixturevalue("migrated"))
    return kept_in(tmp_path, cluster.url(name))


@pytest.fixture
def store(kept: Settings) -> Iterator[Store]:
    """An empty store, on each database in turn."""
    opened = open_store(kept)
    yield opened
    opened.close()
