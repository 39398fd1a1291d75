"""The practitioner's way in a real browser: by mouse and keyboard, without script or barrier."""

import re
from collections.abc import Iterator

import pypdfium2
import pytest
from axe_playwright_python.sync_playwright import Axe
from support import builders
from support.browser.form_patients import link_of
from support.browser.practitioners import PASSWORD, Person, person
from support.builders import do

from api.store.accounts import invitations, practitioners
from api.store.forms import drafts
from api.store.screenings import screenings
from schemas.links import Draft

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SMALLEST_TARGET = 44


@pytest.fixture
def grace(store, clinic) -> Person:
    return person(store, clinic)


@pytest.fixture
def flagged(store, clinic):
    return builders.add(store, clinic, "MRN-0042", example="red_flag", name="Jo Example").id


@pytest.fixture
def scored(store, clinic):
    builders.add(store, clinic, "MRN-0007", example="widespread_pain")
    return builders.add(store, clinic, "MRN-0007", example="widespread_pain").id


def sign_in(page, address, who, code=None):
    page.goto(f"{address}/sign-in")
    page.fill("#name", who.name)
    page.fill("#password", PASSWORD)
    page.fill("#code", code or who.code)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{address}/desk")


def whole_way(page, address, store, clinic, who, screening):
    """Sign in, list, assessment, acknowledge, amend, PDF, sign out."""
    sign_in(page, address, who)
    assert "T0 · Emergency now" in page.inner_text(".rows .first-cell")
    page.click(".rows a")
    assert page.url.endswith(screening)
    page.fill("#done", "Sent to the emergency department")
    page.click("#acknowledge button[type=submit]")
    assert "Sent to the emergency department" in page.inner_text(".notice.good")
    page.locator(".doing a", has_text="Complete or correct").click()
    topic = page.locator("details.topic").first
    if topic.get_attribute("open") is None:
        topic.locator("summary").click()
    page.locator("#q0").fill("45")
    page.locator("main button[type=submit]:visible").last.click()
    page.wait_for_url(re.compile(r"/desk/screenings/(?!" + screening + ")[0-9a-f-]{36}$"))
    amended = page.url[-36:]
    with page.expect_download() as started:
        page.click("text=PDF for the chart")
    document = pypdfium2.PdfDocument(started.value.path())
    assert amended in "".join(each.get_textpage().get_text_range() for each in document)
    document.close()
    page.click(".desk-bar button")
    assert "You are signed out" in page.inner_text("main")
    page.goto(f"{address}/desk/screenings/{screening}")
    assert page.url.endswith("/sign-in")
    found = do(store, clinic, screenings.find_screening, amended)
    assert (found.replaces, found.answers["age_years"]) == (screening, 45)


def test_the_whole_way(page, address, store, clinic, grace, flagged):
    whole_way(page, address, store, clinic, grace, flagged)


def test_the_whole_way_with_scripts_off(browser, address, store, clinic, grace, flagged):
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    whole_way(context.new_page(), address, store, clinic, grace, flagged)
    context.close()


def test_an_invitation_is_accepted_with_an_app(page, address, store, clinic):
    made = do(
        store,
        clinic,
        practitioners.add_practitioner,
        "new",
        "Dr New",
        practitioners.DEFAULT_PRACTITIONER_SCOPES,
    )
    _, secret = do(store, clinic, invitations.add_invitation, made.id)
    page.goto(f"{address}/invitation/{secret}")
    who = Person(made.id, f"{made.id}@example.org", page.inner_text(".secret"), ())
    page.fill("#name", who.name)
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.fill("#code", who.code)
    page.click("main button[type=submit]")
    codes = page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    page.click("main .button")
    assert page.url.endswith("/desk")
    page.context.clear_cookies()
    sign_in(page, address, who, codes[0])


def test_by_keyboard_alone(page, address, grace, flagged, store, clinic):
    page.goto(f"{address}/sign-in")

    def to(selector: str) -> None:
        """Go on by Tab until this has the focus."""
        for _ in range(120):
            if page.locator(f"{selector}:focus").count():
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{selector} cannot be reached")

    for field, text in (("#name", grace.name), ("#password", PASSWORD), ("#code", grace.code)):
        to(field)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/desk")
    page.keyboard.press("Tab")
    assert page.locator(".skip:focus").count() == 1
    to(".rows a")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/desk/screenings/{flagged}")
    to("#done")
    page.keyboard.type("Called")
    to("#acknowledge button")
    page.keyboard.press("Enter")
    page.wait_for_selector(".notice.good")
    to(".flag summary")
    page.keyboard.press("Space")
    assert page.locator(".flag details[open]").count() == 1
    to(".desk-bar button")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("signed-out"))
    assert (
        do(store, clinic, screenings.find_screening, flagged).acknowledgements[0].done == "Called"
    )


def pages(page, address, store, clinic, who, flagged, scored) -> Iterator[str]:
    """Every page there is, once it is there; what each is called."""
    link, _ = link_of(store, clinic, reference="MRN-0050")
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
    page.goto(f"{address}/sign-in")
    yield "sign-in"
    page.fill("#name", who.name)
    page.fill("#password", "wrong")
    page.fill("#code", "1")
    page.click("main button[type=submit]")
    yield "sign-in, wrong"
    page.goto(f"{address}/invitation/{secret}")
    yield "invitation"
    for name in ("name", "password", "again", "code"):
        page.fill(f"#{name}", "x")
    page.click("main button[type=submit]")
    yield "invitation, faulty"
    sign_in(page, address, who)
    yield "list"
    page.fill("#patient", "nobody")
    page.click("text=Find")
    yield "list, nothing found"
    for path in ("/desk/links", "/desk/links/new", "/desk/new", "/desk/new?rulebook=phq4",
                 "/desk/account", f"/desk/screenings/{flagged}", f"/desk/screenings/{scored}",
                 f"/desk/screenings/{flagged}/answers", f"/desk/screenings/{scored}/evidence",
                 f"/desk/screenings/{scored}/note", "/desk/screenings/" + "0" * 36):  # fmt: skip
        page.goto(address + path)
        page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
        yield path
    page.goto(f"{address}/desk/links/new")
    page.fill("#reference", "MRN-0099")
    page.click("main button[type=submit]")
    yield "link made"
    page.goto(f"{address}/desk/forms")
    page.fill("#label0", "Emergency")
    page.click("main button[type=submit]")
    yield "forms, faulty"
    page.fill("#number0", "112")
    page.click("main button[type=submit]")
    yield "forms, saved"
    page.goto(f"{address}/desk/new?rulebook=phq4")
    page.locator("main button[type=submit]:visible").last.click()
    yield "answers, faulty"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_barrier(page, address, store, clinic, grace, flagged, scored, scheme):
    everything = {"scopes": (*practitioners.DEFAULT_PRACTITIONER_SCOPES, "admin")}
    do(store, clinic, practitioners.update_practitioner, grace.id, everything)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda told: errors.append(told.text) if "Policy" in told.text else None)
    found = {}
    for name in pages(page, address, store, clinic, grace, flagged, scored):
        page.wait_for_load_state()
        told = Axe().run(page, options=WCAG).response["violations"]
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        if told or wide:
            nodes = [(e["id"], [node["html"][:160] for node in e["nodes"][:4]]) for e in told]
            found[name] = (nodes, wide)
    assert found == {}
    assert errors == []


@pytest.mark.parametrize("language", ["de", "es"])
def test_every_page_speaks_the_language_that_was_chosen(page, address, grace, scored, language):
    sign_in(page, address, grace)
    page.goto(f"{address}/desk?language={language}")
    words = {"de": "Gründe", "es": "Razones"}[language]
    page.goto(f"{address}/desk/screenings/{scored}")
    assert page.get_attribute("html", "lang") == language
    assert words in page.inner_text("#reasons")
    page.go_back()
    assert page.get_attribute("html", "lang") == language


def test_targets_are_large(page, address, grace, flagged):
    sign_in(page, address, grace)
    for path in ("/desk", f"/desk/screenings/{flagged}"):
        page.goto(address + path)
        for target in page.locator("main button:visible, main .button:visible, .doing a").all():
            box = target.bounding_box()
            assert box["height"] >= SMALLEST_TARGET, path


def test_after_signing_out_the_way_back_shows_nothing(page, address, grace, flagged):
    sign_in(page, address, grace)
    page.goto(f"{address}/desk/screenings/{flagged}")
    page.click(".desk-bar button")
    page.go_back()
    page.wait_for_load_state()
    assert "Jo Example" not in page.content()
