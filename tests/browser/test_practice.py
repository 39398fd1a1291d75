"""A therapist alone, in a real browser: first start, her practice, a link, the name on paper."""

import re
from contextlib import contextmanager

import pypdfium2
import pytest
from support.browser.barriers import find_barriers
from support.browser.form_patients import answer_until, begin_intake, press, submit_step
from support.browser.practitioners import PASSWORD, PractitionerLogin, add_practitioner_login
from support.builders import build_store_settings, do
from support.servers.processes import serving

from api.security.scopes import SCOPES
from api.store.accounts import clients
from api.store.patients import legal_holds
from api.store.patients.patient_lookup import PatientSelector

PRACTICE = "Praxis Am Hafen"
WIDTHS = (320, 640, 768, 1280)


def read_second_line(api) -> str:
    """Return the line that the service prints below its address."""
    return api.process.stdout.readline()


@pytest.fixture
def size() -> str:
    """The walk takes the widths itself."""
    return "desktop"


@contextmanager
def first_start(tmp_path):
    """Start the service in an empty folder, as `make serve` does, without a public URL."""
    settings = build_store_settings(tmp_path)
    with serving(settings, NOCISCREEN_PUBLIC_URL=None, DATABASE_URL=None) as api:
        yield settings, api


def accept_first_invitation(page, invitation: str) -> PractitionerLogin:
    page.goto(invitation)
    login = PractitionerLogin("", "grace@example.org", page.inner_text(".secret"), ())
    for field, text in (("name", login.name), ("password", PASSWORD),
                        ("password_repeat", PASSWORD), ("code", login.code)):  # fmt: skip
        page.fill(f"#{field}", text)
    press(page, "main button[type=submit]")
    return login


def set_up_practice(page) -> None:
    page.fill("#name", PRACTICE)
    page.fill("#own_name", "Dr. Grace Beispiel")
    page.fill("#address", "Kai 1\n20457 Hamburg")
    page.fill("#phone", "040 1234567")
    page.select_option("#time_zone", "Europe/Berlin")
    press(page, "form:has(#own_name) button[type=submit]")
    assert "/desk/practice/numbers" in page.url
    page.select_option("#country", "DE")
    press(page, "form[method=get] button")
    assert page.input_value("#number1") == "0800 111 0 111"
    press(page, "form[method=post] .actions button")
    assert page.locator(".errors a").count() == 3
    for place in range(3):
        page.check(f"#confirmed{place}")
    press(page, "form[method=post] .actions button")
    assert page.url.endswith("/desk/practice/practitioners?first=true")
    press(page, "main a.button:visible")
    assert page.url.endswith("/desk")


def create_link_at_desk(page, base: str) -> str:
    page.goto(f"{base}/desk/links/new")
    assert "only on this computer" in page.inner_text(".notice.urgent")
    page.fill("#reference", "MRN-0042")
    press(page, "main button[type=submit]")
    assert "only on this computer" in page.inner_text(".notice.urgent")
    link = page.input_value("#url")
    for scheme in ("mailto", "sms"):
        message = page.get_attribute(f"a[href^={scheme}]", "href")
        assert "intake" in message
        assert "MRN-0042" not in message
    return link


def test_a_therapist_alone_sets_up_her_practice_and_her_patient_reads_its_name(
    page, browser, tmp_path
):
    with first_start(tmp_path) as (settings, api):
        greeting = read_second_line(api)
        invitation = re.search(r"http://\S+/invitation/\S+", greeting)[0]
        assert invitation.startswith(f"{api.address}/invitation/")
        accept_first_invitation(page, invitation)
        press(page, "main a.button:visible")
        assert page.url == f"{api.address}/desk/practice?first=true"
        assert find_barriers(page) == []
        set_up_practice(page)
        link = create_link_at_desk(page, api.address)
        with browser.new_context(locale="de-DE") as phone:
            patient = phone.new_page()
            patient.goto(link)
            text = patient.inner_text("main")
            assert f"Fragen von {PRACTICE}" in text
            assert ("Notruf" in text, "Emergency" in text) == (True, False)
            assert "040 1234567" in text
            begin_intake(patient, link)
            answer_until(patient)
            submit_step(patient, "send")
        page.goto(f"{api.address}/desk")
        assert re.search(r"\d\d:\d\d CES?T", page.inner_text(".rows"))
        press(page, ".rows .last-cell a")
        with page.expect_download() as download:
            page.click("a[href*='report.pdf']")
        document = pypdfium2.PdfDocument(download.value.path())
        paper = "".join(sheet.get_textpage().get_text_range() for sheet in document)
        document.close()
        assert PRACTICE in paper
        assert "20457 Hamburg" in paper
        assert "040 1234567" in paper
    with serving(settings, NOCISCREEN_PUBLIC_URL=None, DATABASE_URL=None) as again:
        assert read_second_line(again) == f"Sign in at {again.address}/sign-in\n"


@pytest.fixture
def administrator(store, clinic):
    login = add_practitioner_login(store, clinic, SCOPES)
    client = do(store, clinic, clients.add_client, "Practice software", SCOPES)
    do(store, clinic, clients.add_secret, client.id)
    do(store, clinic, legal_holds.place_hold, PatientSelector("MRN-0042", None), "A court case")
    return login, client.id


def test_no_settings_page_has_a_barrier_or_is_too_wide(page, base_url, administrator):
    login, client = administrator
    page.goto(f"{base_url}/sign-in")
    for field, text in (("name", login.name), ("password", PASSWORD), ("code", login.code)):
        page.fill(f"#{field}", text)
    press(page, "main button[type=submit]")
    paths = ["", "?first=true", "/numbers?country=DE", "/practitioners",
             f"/practitioners/{login.id}",
             "/programs", f"/programs/{client}", "/destinations", "/patient-data"]  # fmt: skip
    barriers, wide = {}, []
    for language in ("en", "de", "es"):
        for path in [f"/desk/practice{path}" for path in paths] + [
            "/desk/forms",
            "/desk/links/new",
        ]:
            page.goto(f"{base_url}{path}{'&' if '?' in path else '?'}language={language}")
            page.evaluate(
                "document.querySelectorAll('details').forEach((each) => each.open = true)"
            )
            if language == "en":
                barriers[path] = find_barriers(page)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    wide.append((language, path, width))
    assert len(barriers) == len(paths) + 2
    assert {path: faults for path, faults in barriers.items() if faults} == {}
    assert wide == []
