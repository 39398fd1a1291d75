"""A real service on loopback, and a real Chromium that opens its pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from support import builders
from support.browser.chromium import CHROMIUM, CHROMIUM_OPTIONS
from support.browser.form_patients import NUMBERS
from support.builders import Clinic, build_store_settings, do
from support.servers.processes import serving

from api.settings import Settings
from api.store.forms import form_settings
from api.store.operations.startup import open_store
from api.store.store import Store
from schemas.organisations.form_settings import FormSettings

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True,
         "device_scale_factor": 2}  # fmt: skip
PATIENCE_MILLISECONDS = 60_000
"""How long a busy machine may take; a page that answers is not waited for."""

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
SIZES = {"phone": PHONE, "desktop": DESKTOP}
# A broken connection between Playwright and Chromium says nothing about the page: try once more.
CONNECTION_LOST = pytest.mark.flaky(reruns=1, only_rerun=["Protocol error"])
NO_CHROMIUM = pytest.mark.skip(reason="no Chromium: `make setup-dev` installs it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests without Chromium, and say how to install it."""
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(CONNECTION_LOST if CHROMIUM else NO_CHROMIUM)


expect.set_options(timeout=PATIENCE_MILLISECONDS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a module: while Playwright runs, nothing else in its thread may."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def store_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return build_store_settings(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="session")
def store(store_settings: Settings) -> Iterator[Store]:
    shared_store = open_store(store_settings)
    yield shared_store
    shared_store.close()


@pytest.fixture(scope="session")
def base_url(store_settings: Settings) -> Iterator[str]:
    """The URL at which the service listens."""
    with serving(store_settings) as api:
        yield api.address


def add_clinic(store: Store) -> Clinic:
    """Add a clinic with numbers to call in an emergency."""
    clinic = builders.clinic(store, "Harbour Pain Clinic")
    settings = FormSettings(emergency_numbers=NUMBERS)
    do(store, clinic, form_settings.update_form_settings, settings)
    return clinic


@pytest.fixture
def clinic(store: Store) -> Clinic:
    return add_clinic(store)


@pytest.fixture(scope="module")
def shared_clinic(store: Store) -> Clinic:
    """A clinic for the tests of one module that only read."""
    return add_clinic(store)


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> str:
    """The size of the screen; a test that does not depend on the layout fixes one."""
    return request.param


@pytest.fixture
def context_options(size: str) -> dict[str, Any]:
    return SIZES[size] | {"locale": "en-GB"}


@pytest.fixture
def context(context_options: dict[str, Any], browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(**context_options) as browser_context:
        browser_context.set_default_timeout(PATIENCE_MILLISECONDS)
        yield browser_context


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
