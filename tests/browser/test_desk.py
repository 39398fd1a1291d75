"""The desk in a real browser: by mouse and keyboard, without scripts, accessible."""

import json
import re
from collections.abc import Iterator

import pypdfium2
import pytest
from playwright.sync_api import expect
from support import builders
from support.browser.barriers import find_barriers
from support.browser.form_patients import create_link, press
from support.browser.practitioners import PASSWORD, PractitionerLogin, add_practitioner_login
from support.builders import do
from support.form_controls import name_control
from support.second_release import EXPLAINED, WITHHELD, assess_case

from api.security.scopes import SCOPES
from api.store.accounts import invitations, practitioners
from api.store.forms import drafts
from api.store.screenings import screenings, search
from schemas.base import to_json_number
from schemas.patients.links import Draft
from schemas.patients.screening import ScreeningFilters

SMALLEST_TARGET = 44
SMALLEST_CHART_TEXT = 11
SUBMIT = "main button[type=submit]"


@pytest.fixture
def grace(store, clinic) -> PractitionerLogin:
    return add_practitioner_login(store, clinic)


@pytest.fixture
def flagged(store, clinic):
    return builders.add(store, clinic, "MRN-0042", example="red_flag", name="Jo Example").id


@pytest.fixture
def scored(store, clinic):
    builders.add(store, clinic, "MRN-0007", example="widespread_pain")
    return builders.add(store, clinic, "MRN-0007", example="widespread_pain").id


@pytest.fixture
def of_the_second_version(store, clinic):
    """The ids of two screenings of nociplastic 2.0.0: one with a band, one with a red flag."""
    intakes = [
        builders.intake("MRN-0008")._replace(
            answers=json.loads(json.dumps(case.answers, default=to_json_number)),
            assessment=assess_case(case),
        )
        for case in (EXPLAINED, WITHHELD)
    ]
    return [do(store, clinic, screenings.add_screening, intake).id for intake in intakes]


@pytest.fixture(scope="module")
def shared_desk(browser, base_url, store, shared_clinic):
    """The browser state of one login and the ids of two screenings, for tests that only read."""
    flagged = builders.add(store, shared_clinic, "MRN-0042", example="red_flag").id
    scored = builders.add(store, shared_clinic, "MRN-0007", example="widespread_pain").id
    with browser.new_context() as context:
        sign_in(context.new_page(), base_url, add_practitioner_login(store, shared_clinic))
        return context.storage_state(), flagged, scored


@pytest.fixture
def shared_page(browser, context_options, shared_desk):
    """A page in a new browser context that is signed in already."""
    with browser.new_context(**context_options, storage_state=shared_desk[0]) as context:
        yield context.new_page()


def sign_in(page, base_url, practitioner, code=None):
    page.goto(f"{base_url}/sign-in")
    page.fill("#name", practitioner.name)
    page.fill("#password", PASSWORD)
    page.fill("#code", code or practitioner.code)
    press(page, SUBMIT)
    assert page.url == f"{base_url}/desk"


def amend_flagged_screening(page, base_url, store, clinic, practitioner, screening):
    """Sign in, open, acknowledge and amend a screening, download its PDF and sign out."""
    sign_in(page, base_url, practitioner)
    assert "T0 · Emergency now" in page.inner_text(".rows .first-cell")
    press(page, ".rows .last-cell a")
    assert page.url.endswith(screening)
    page.fill("#done-1", "Sent to the emergency department")
    press(page, "#acknowledge-1 button[type=submit]")
    assert "Sent to the emergency department" in page.inner_text(".notice.good")
    press(page, ".action-list a:has-text('Complete or correct')")
    topic = page.locator("details.topic").first
    if topic.get_attribute("open") is None:
        topic.locator("summary").click()
    page.locator(f"#{name_control('age_years')}").fill("45")
    press(page, ":nth-match(main button[type=submit]:visible, 1)")
    assert re.search(r"/desk/screenings/(?!" + screening + ")[0-9a-f-]{36}$", page.url)
    amended = page.url[-36:]
    with page.expect_download() as download:
        page.click("text=PDF for the chart")
    document = pypdfium2.PdfDocument(download.value.path())
    text = "".join(sheet.get_textpage().get_text_range() for sheet in document)
    assert screening in text.replace("\r\n", "")
    document.close()
    press(page, ".desk-bar button")
    assert "You are signed out" in page.inner_text("main")
    page.goto(f"{base_url}/desk/screenings/{screening}")
    assert page.url.endswith("/sign-in")
    amendment = do(store, clinic, screenings.find_screening, amended)
    assert (amendment.replaces, amendment.answers["age_years"]) == (screening, 45)


def test_a_screening_is_amended_and_printed(page, base_url, store, clinic, grace, flagged):
    amend_flagged_screening(page, base_url, store, clinic, grace, flagged)


def test_a_screening_is_amended_and_printed_without_scripts(
    browser, base_url, store, clinic, grace, flagged
):
    with browser.new_context(java_script_enabled=False, locale="en-GB") as context:
        amend_flagged_screening(context.new_page(), base_url, store, clinic, grace, flagged)


def test_an_invitation_is_accepted_with_an_app(page, base_url, store, clinic):
    practitioner_row = do(
        store,
        clinic,
        practitioners.add_practitioner,
        "new",
        "Dr New",
        practitioners.DEFAULT_PRACTITIONER_SCOPES,
    )
    _, secret = do(store, clinic, invitations.add_invitation, practitioner_row.id)
    page.goto(f"{base_url}/invitation/{secret}")
    practitioner = PractitionerLogin(
        practitioner_row.id, f"{practitioner_row.id}@example.org", page.inner_text(".secret"), ()
    )
    page.fill("#name", practitioner.name)
    page.fill("#password", PASSWORD)
    page.fill("#password_repeat", PASSWORD)
    page.fill("#code", practitioner.code)
    press(page, SUBMIT)
    codes = page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    press(page, "main .button")
    assert page.url.endswith("/desk")
    page.context.clear_cookies()
    sign_in(page, base_url, practitioner, codes[0])


def test_can_be_used_by_keyboard_alone(page, base_url, grace, flagged, store, clinic):
    page.goto(f"{base_url}/sign-in")

    def focus_by_tab(selector: str) -> None:
        """Press Tab until this element has the focus."""
        for _ in range(120):
            if page.locator(f"{selector}:focus").count():
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{selector} cannot be reached")

    for field, text in (("#name", grace.name), ("#password", PASSWORD), ("#code", grace.code)):
        focus_by_tab(field)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{base_url}/desk")
    page.keyboard.press("Tab")
    assert page.locator(".skip:focus").count() == 1
    focus_by_tab(".rows .last-cell a")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{base_url}/desk/screenings/{flagged}")
    focus_by_tab("#done-1")
    page.keyboard.type("Called")
    focus_by_tab("#acknowledge-1 button")
    page.keyboard.press("Enter")
    page.wait_for_selector(".notice.good")
    focus_by_tab("#everything a[href$='/answers-given']")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/answers-given$"))
    focus_by_tab(".desk-bar button")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("signed-out"))
    assert (
        do(store, clinic, screenings.find_screening, flagged).acknowledgements[0].done == "Called"
    )


def open_details(page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((details) => details.open = true)")


def visit_pages(page, base_url, store, clinic, practitioner, flagged, scored) -> Iterator[str]:
    """Open every page of the desk; yield its name once it is loaded."""
    link, _ = create_link(store, clinic, reference="MRN-0050")
    do(store, clinic, drafts.save_draft, link, Draft(tier="T1"))
    invited = do(
        store,
        clinic,
        practitioners.add_practitioner,
        "new",
        "Dr New",
        practitioners.DEFAULT_PRACTITIONER_SCOPES,
    )
    _, secret = do(store, clinic, invitations.add_invitation, invited.id)
    page.goto(f"{base_url}/sign-in")
    yield "sign-in"
    page.fill("#name", practitioner.name)
    page.fill("#password", "wrong")
    page.fill("#code", "1")
    press(page, SUBMIT)
    yield "sign-in, failed"
    page.goto(f"{base_url}/invitation/{secret}")
    yield "invitation"
    for name in ("name", "password", "password_repeat", "code"):
        page.fill(f"#{name}", "x")
    press(page, SUBMIT)
    yield "invitation, faulty"
    sign_in(page, base_url, practitioner)
    yield "list"
    page.fill("#patient", "unknown")
    press(page, "text=Find")
    yield "list, nothing found"
    for path in ("/desk/links", "/desk/links/new", "/desk/due", "/desk/new",
                 "/desk/new?rulebook=phq4", "/desk/account",
                 f"/desk/screenings/{flagged}", f"/desk/screenings/{scored}",
                 f"/desk/screenings/{scored}/reasons", f"/desk/screenings/{scored}/answers-given",
                 f"/desk/screenings/{flagged}/answers", f"/desk/screenings/{scored}/evidence",
                 f"/desk/screenings/{scored}/note", f"/desk/screenings/{scored}/patient",
                 "/desk/screenings/" + "0" * 36):  # fmt: skip
        page.goto(base_url + path)
        open_details(page)
        yield path
    page.goto(f"{base_url}/desk/links/new")
    page.fill("#reference", "MRN-0099")
    press(page, SUBMIT)
    yield "link created"
    page.goto(f"{base_url}/desk/forms")
    page.fill("#ask_again_days", "0")
    press(page, SUBMIT)
    yield "forms, faulty"
    page.fill("#ask_again_days", "30")
    press(page, SUBMIT)
    yield "forms, saved"
    page.goto(f"{base_url}/desk/new?rulebook=phq4")
    press(page, ":nth-match(main button[type=submit]:visible, 1)")
    yield "answers, faulty"


def test_no_page_has_a_barrier_or_is_too_wide(
    page, base_url, store, clinic, grace, flagged, scored
):
    all_scopes = {"scopes": SCOPES}
    do(store, clinic, practitioners.update_practitioner, grace.id, all_scopes)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console", lambda message: errors.append(message.text) if "Policy" in message.text else None
    )
    barriers, wide = {}, []
    for name in visit_pages(page, base_url, store, clinic, grace, flagged, scored):
        barriers[name] = find_barriers(page)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)
    assert len(barriers) > 20
    assert {name: faults for name, faults in barriers.items() if faults} == {}
    assert (errors, wide) == ([], [])


@pytest.mark.parametrize(
    "part", ["", "/answers", "/evidence", "/note", "/reasons", "/answers-given"]
)
def test_no_page_of_the_second_version_has_a_barrier_or_is_too_wide(
    page, base_url, grace, of_the_second_version, part
):
    sign_in(page, base_url, grace)
    for screening in of_the_second_version:
        page.goto(f"{base_url}/desk/screenings/{screening}{part}")
        open_details(page)
        assert find_barriers(page) == []
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest.mark.parametrize("language", ["de", "es"])
def test_pages_stay_in_the_selected_language(shared_page, base_url, shared_desk, language):
    shared_page.goto(f"{base_url}/desk?language={language}")
    shared_page.goto(f"{base_url}/desk/screenings/{shared_desk[2]}")
    assert shared_page.get_attribute("html", "lang") == language
    assert {"de": "Gründe", "es": "razones"}[language] in shared_page.inner_text("#everything")
    shared_page.go_back()
    assert shared_page.get_attribute("html", "lang") == language


def test_targets_are_large(shared_page, base_url, shared_desk):
    for path in ("/desk", f"/desk/screenings/{shared_desk[1]}"):
        shared_page.goto(base_url + path)
        targets = shared_page.locator("main button:visible, main .button:visible, .action-list a")
        boxes = [target.bounding_box() for target in targets.all()]
        assert boxes, path
        assert min(box["height"] for box in boxes) >= SMALLEST_TARGET, path


@pytest.mark.parametrize("size", ["phone"], indirect=True)
def test_no_page_is_too_wide_at_any_width_and_chart_texts_stay_legible(
    shared_page, base_url, shared_desk
):
    flagged, scored = shared_desk[1:]
    pages = ("/desk", "/desk/links", f"/desk/screenings/{flagged}", f"/desk/screenings/{scored}",
             f"/desk/screenings/{scored}/patient")  # fmt: skip
    wide, small = [], []
    for path in pages:
        shared_page.goto(base_url + path)
        open_details(shared_page)
        for width in (320, 360, 545, 640, 768, 800, 1280):
            shared_page.set_viewport_size({"width": width, "height": 900})
            if shared_page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append((path, width))
        sizes = shared_page.evaluate(
            "[...document.querySelectorAll('.chart text')]"
            ".map((text) => parseFloat(getComputedStyle(text).fontSize))"
        )
        small += [path for size in sizes if size < SMALLEST_CHART_TEXT]
    assert (wide, small) == ([], [])
    assert sizes


def test_the_page_says_five_minutes_before_that_the_session_ends(shared_page, base_url):
    shared_page.clock.install()
    shared_page.goto(f"{base_url}/desk")
    shared_page.clock.run_for(24 * 60 * 1000)
    expect(shared_page.locator("#session-ending")).to_be_hidden()
    shared_page.clock.run_for(90 * 1000)
    expect(shared_page.locator("#session-ending")).to_be_visible()


def test_after_a_fault_back_and_reload_give_a_page_and_create_nothing_twice(
    page, base_url, store, clinic, grace
):
    sign_in(page, base_url, grace)
    page.goto(f"{base_url}/desk/new?rulebook=phq4")
    save = ":nth-match(main button[type=submit]:visible, 1)"
    press(page, save)
    assert page.locator(".errors a").get_attribute("href") == "#reference"
    page.reload()
    page.fill("#reference", "MRN-0500")
    press(page, save)
    expect(page).to_have_url(re.compile("/desk/screenings/"))
    page.go_back()
    expect(page.locator(".errors a")).to_have_count(1)
    page.go_forward()
    page.reload()
    expect(page).to_have_url(re.compile("/desk/screenings/"))
    assert do(store, clinic, search.list_first_page, ScreeningFilters(), 9).next_cursor is None
    assert len(do(store, clinic, search.list_first_page, ScreeningFilters(), 9).lines) == 1


def test_going_back_after_signing_out_shows_nothing(page, base_url, grace, flagged):
    sign_in(page, base_url, grace)
    page.goto(f"{base_url}/desk/screenings/{flagged}")
    press(page, ".desk-bar button")
    page.go_back()
    expect(page).to_have_url(f"{base_url}/sign-in")
    expect(page.locator("body")).not_to_contain_text("Jo Example")
