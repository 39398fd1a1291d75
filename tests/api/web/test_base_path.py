"""The public address may have a path and a slash at its end."""

import re

import pytest
from fastapi.routing import iter_route_contexts
from pydantic import ValidationError
from starlette.testclient import TestClient
from support.builders import CANONICAL, clinic, copy_empty_store, fhir_response
from support.callers import calling

from api.main import create_app
from api.settings import OWN_PATHS, Settings

BASE = "https://gateway.example.org/screening"
SPELLINGS = ["", "/screening"]
"""What the gateway passes on of the path: nothing, or all."""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    settings = copy_empty_store(tmp_path_factory.mktemp("path"))
    address = Settings(public_url=f"{BASE}/").public_url
    service = create_app(settings.model_copy(update={"public_url": address}))
    yield service
    service.services.renderer.close()
    service.services.store.close()


@pytest.fixture(scope="module")
def caller(service):
    return calling(service, clinic(service.services.store))


@pytest.mark.parametrize(
    ("url", "kept_url"),
    [
        ("https://h", "https://h"),
        ("https://h/", "https://h"),
        ("https://h:8443/a/b-c/", "https://h:8443/a/b-c"),
        ("https://h/a//", "https://h/a"),
        ("https://h/fhirs", "https://h/fhirs"),
        ("https://h/a?b", None),
        ("https://h/a#b", None),
        ("https://h/a//b", None),
        ('https://h/"', None),
        ("ftp://h/a", None),
        *((f"https://h/{name}/a", None) for name in sorted(OWN_PATHS)),
    ],
)
def test_an_address_is_kept_without_slash_or_refused(url, kept_url):
    if kept_url is None:
        with pytest.raises(ValidationError):
            Settings(public_url=url)
    else:
        assert Settings(public_url=url).public_url == kept_url


def test_the_paths_that_an_address_must_not_begin_with_are_all_of_the_service(service):
    paths = [route.path or "" for route in iter_route_contexts(service.routes)]
    assert {path.split("/")[1] for path in paths if path.strip("/")} == OWN_PATHS


@pytest.mark.parametrize("passed_path", SPELLINGS)
def test_every_address_begins_with_the_path(caller, passed_path):
    smart = caller.get(f"{passed_path}/fhir/.well-known/smart-configuration").json()
    assert smart["issuer"] == BASE
    assert smart["token_endpoint"] == f"{BASE}/v1/oauth/token"
    assert smart["jwks_uri"] == f"{BASE}/.well-known/jwks.json"
    capabilities = caller.get(f"{passed_path}/fhir/metadata").json()
    assert capabilities["implementation"]["url"] == f"{BASE}/fhir"
    form = caller.get(f"{passed_path}/fhir/Questionnaire/phq4").json()
    assert form["url"] == f"{CANONICAL}/Questionnaire/phq4"
    created = caller.post(
        f"{passed_path}/fhir/QuestionnaireResponse",
        json=fhir_response() | {"questionnaire": f"{form['url']}|{form['version']}"},
    )
    assert created.status_code == 201
    assert created.headers["location"].startswith(f"{BASE}/fhir/QuestionnaireResponse/")
    page = caller.get(f"{passed_path}/fhir/QuestionnaireResponse").json()
    assert page["entry"][0]["fullUrl"].startswith(f"{BASE}/fhir/QuestionnaireResponse/")
    link = caller.post(f"{passed_path}/v1/links", json={"patient": {"reference": "p"}}).json()
    assert link["url"].startswith(f"{BASE}/intake/")


@pytest.mark.parametrize("passed_path", SPELLINGS)
def test_pages_and_redirects_begin_with_the_path(service, passed_path):
    browser = TestClient(service, base_url="https://gateway.example.org")
    page = browser.get(f"{passed_path}/sign-in")
    assert page.status_code == 200
    assert len(page.content) == int(page.headers["content-length"])
    addresses = re.findall(r'(?:href|src|action|formaction)="(/[^"]*)', page.text)
    assert len(addresses) > 2
    assert [it for it in addresses if not it.startswith("/screening/")] == []
    for address in re.findall(r'(?:href|src)="(/screening/static[^"]*)', page.text):
        assert browser.get(address.replace("/screening", passed_path, 1)).status_code == 200
    redirect = browser.get(f"{passed_path}/desk", follow_redirects=False)
    assert redirect.headers["location"].startswith("/screening/sign-in")


def test_a_path_that_only_begins_alike_is_not_the_services_own(service):
    assert TestClient(service).get("/screenings/fhir/metadata").status_code == 404
