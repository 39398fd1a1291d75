"""A real service on loopback, and a real Chromium that looks at its pages."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from support import builders
from support.browser.form_patients import NUMBERS
from support.builders import Clinic, do, kept_in
from support.processes import serving

from api.settings import Settings
from api.store.forms import form_settings
from api.store.operations.startup import open_store
from api.store.store import Store
from schemas.form_settings import FormSettings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True,
         "device_scale_factor": 2}  # fmt: skip
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
SIZES = {"phone": PHONE, "desktop": DESKTOP}


# What breaks between Playwright and Chromium says nothing of the page: once more, then it counts.
BROKEN_LINE = pytest.mark.flaky(reruns=1, only_rerun=["Protocol error"])
MISSING = pytest.mark.skip(reason="no Chromium: `apt-get install chromium` (make setup-dev)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Chromium these tests are skipped, and say how to get it."""
    here = Path(__file__).parent
    for each in items:
        if here in each.path.parents:
            each.add_marker(BROKEN_LINE if CHROMIUM else MISSING)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def where(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return kept_in(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="session")
def store(where: Settings) -> Iterator[Store]:
    opened = open_store(where)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def address(where: Settings) -> Iterator[str]:
    """Where the service listens."""
    with serving(where) as served:
        yield served.address


@pytest.fixture
def clinic(store: Store) -> Clinic:
    """A clinic with numbers to call."""
    made = builders.clinic(store, "Harbour Pain Clinic")
    do(store, made, form_settings.update_form_settings, FormSettings(emergency_numbers=NUMBERS))
    return made


@pytest.fixture(params=SIZES)
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    """A browser of each size in turn."""
    opened = browser.new_context(**SIZES[request.param], locale="en-GB")
    opened.set_default_timeout(15_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
