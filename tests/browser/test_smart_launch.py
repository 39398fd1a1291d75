"""Launches in a real browser: inside the chart of an EHR, and from the service's own side."""

import socket

import pytest
from playwright.sync_api import expect
from support import builders
from support.browser.barriers import find_barriers
from support.browser.practitioners import PASSWORD, add_practitioner_login
from support.builders import do
from support.interop.ehr_stand_in import CLIENT_ID, SYSTEM, running_ehr
from support.interop.hospital_issuers import allow_host
from support.servers.processes import serving

from api.store.accounts import issuers, login_credentials
from api.store.forms import links
from schemas.organisations.issuer import IssuerTerms


@pytest.fixture(scope="module")
def shared_ehr():
    with running_ehr() as ehr:
        yield ehr


@pytest.fixture(scope="module")
def base_url(store_settings, shared_ehr):
    """A service that the EHR may frame, and that knows its own address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    variables = {"NOCISCREEN_PUBLIC_URL": address, "NOCISCREEN_FRAME_ANCESTORS": shared_ehr.url}
    with serving(store_settings, port=port, **variables) as api:
        yield api.address


@pytest.fixture
def ehr(store, clinic, shared_ehr):
    allow_host(store, clinic, shared_ehr.host_port)
    keys = f"{shared_ehr.url}/jwks"
    terms = IssuerTerms(key_set_url=keys, client_id=CLIENT_ID, patient_system=SYSTEM)
    issuer = do(store, clinic, issuers.add_issuer, "launch", shared_ehr.fhir_url, "", terms)
    yield shared_ehr
    do(store, clinic, issuers.delete_issuer, issuer.id)


@pytest.mark.parametrize("size", ["desktop"])
def test_the_page_of_the_patient_opens_inside_the_chart(page, base_url, ehr, store, clinic):
    grace = add_practitioner_login(store, clinic)
    do(store, clinic, login_credentials.add_identity, grace.id, ehr.fhir_url, ehr.subject)
    screening = builders.add(store, clinic, "N-1", system=SYSTEM, name="Pat Test")
    page.goto(f"{ehr.url}/chart?app={base_url}")
    app = page.frame_locator("#app")
    expect(app.locator("main")).to_contain_text("Pat Test")
    addresses = [frame.url for frame in page.frames]
    assert f"{base_url}/desk/screenings/{screening.id}/patient" in addresses


@pytest.mark.parametrize("size", ["phone"])
def test_a_standalone_launch_links_the_account_and_starts_an_intake(
    page, base_url, ehr, store, clinic
):
    ehr.subject = "practitioner-8"
    grace = add_practitioner_login(store, clinic)
    page.goto(f"{base_url}/launch?iss={ehr.fhir_url}")
    for name, value in (("name", grace.name), ("password", PASSWORD), ("code", grace.code)):
        page.fill(f"#{name}", value)
    page.click("main button[type=submit]")
    for heading in ("Link your account", "No screening of this patient yet"):
        expect(page.locator("h1")).to_have_text(heading)
        assert find_barriers(page) == []
        page.click("main button[type=submit]")
    expect(page.locator("h1")).to_have_text("Link created")
    (link,) = do(store, clinic, links.list_links, 9).links
    assert link.patient.reference == "N-1"
