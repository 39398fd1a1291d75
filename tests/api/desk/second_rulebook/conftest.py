"""A clinic whose service has nociplastic 2.0.0 active, its client and its desk."""

import pytest
from support import builders
from support.browser.practitioners import add_practitioner_login, open_signed_in_browser
from support.callers import calling, replace_service

from api.http.rate_limit import RateLimiter


@pytest.fixture
def clinic(second_service):
    replace_service(second_service, rate_limiter=RateLimiter(lambda: 0.0))
    return builders.clinic(second_service.services.store)


@pytest.fixture
def client(second_service, clinic):
    return calling(second_service, clinic)


@pytest.fixture
def desk(second_service, clinic):
    login = add_practitioner_login(second_service.services.store, clinic)
    return open_signed_in_browser(second_service, login)
