"""The whole way of a patient, from the link to what is kept, in a real browser of two sizes."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Error, expect
from support.browser.form_patients import answer_page, at, begin, link_of, walk
from support.browser.served_api import asked
from support.builders import do

from api.store.forms import drafts, links
from api.store.screenings import screenings
from scoring.catalogue import load_catalogue

ERROR = re.compile("^chrome-error:")
FLAGGED = {"q53": "o5", "q57": "o1"}
"""A headache to be looked at today, and thoughts of ending one's life."""


def kept(store, clinic, link_id):
    """The screening that the link became."""
    link = do(store, clinic, links.find_link, link_id)
    assert link.state == "submitted"
    return do(store, clinic, screenings.find_screening, link.screening)


class TestTheWholeWay:
    def test_ends_in_a_kept_screening_and_its_pdf(self, page, address, store, clinic):
        link, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        walk(page)
        expect(page.locator("h1")).to_have_text("Look through your answers")
        page.click("button[value=send]")
        expect(page.locator("h1")).to_have_text("Thank you. Your answers have arrived")
        made = kept(store, clinic, link)
        assert made.patient.reference == "MRN-0042"
        assert (made.origin.means, made.origin.actor) == ("form", link)
        assert made.context.answered_by == "patient"
        assert made.assessment.status == "scored"
        assert made.answers["age_years"] == 44
        assert made.answers["diagnoses"] == []
        assert "ace_count" not in made.answers
        pdf = asked(address, clinic, f"/v1/screenings/{made.id}/report.pdf")
        assert pdf.startswith(b"%PDF")

    def test_is_walked_by_the_keyboard_alone(self, page, address, store, clinic):
        link, secret = link_of(store, clinic, "phq4")
        page.goto(f"{address}/intake/{secret}")
        reach(page, "agree")
        page.keyboard.press("Space")
        reach(page, "Begin")
        enter(page)
        for name in ("q0", "q1", "q2", "q3"):
            reach(page, name)
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
        reach(page, "Continue")
        enter(page)
        reach(page, "Send my answers")
        enter(page)
        expect(page.locator("h1")).to_contain_text("Thank you")
        assert kept(store, clinic, link).answers == dict.fromkeys(
            ("phq4_nervous", "phq4_worrying", "phq4_interest", "phq4_down"), 1
        )

    def test_marks_the_body_and_reads_advice_by_the_keyboard_alone(
        self, page, address, store, clinic
    ):
        link, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        for name, text in (("q0", "44"), ("q1", "6")):
            reach(page, name)
            page.keyboard.type(text)
        enter(page)
        for number in range(52, 57):
            reach(page, f"q{number}-none")
            page.keyboard.press("Space")
        reach(page, "q57-1")
        page.keyboard.press("Space")
        enter(page)
        expect(page).to_have_url(re.compile("/advice$"))
        reach(page, "read")
        page.keyboard.press("Space")
        enter(page)
        reach(page, "q5-14")
        page.keyboard.press("Space")
        assert page.locator(".body-map .marked").count() == 2
        reach(page, "Keep and go on later")
        enter(page)
        expect(page.locator("h1")).to_have_text("Your answers are kept")
        draft = do(store, clinic, drafts.find_draft, link)
        assert draft.answers["pain_sites"] == ["neck"]

    def test_needs_no_script(self, browser, address, store, clinic):
        link, secret = link_of(store, clinic)
        with browser.new_context(java_script_enabled=False, locale="en-GB") as context:
            page = context.new_page()
            begin(page, f"{address}/intake/{secret}")
            walk(page, q5="o14", **FLAGGED)
            assert not page.locator(".body-map").count() or page.locator(".body-map").is_hidden()
            page.click("button[value=send]")
            assert "Thank you" in page.locator("h1").inner_text()
        made = kept(store, clinic, link)
        assert made.answers["pain_sites"] == ["neck"]
        assert made.assessment.status == "withheld_red_flag"

    @pytest.mark.parametrize(
        ("locale", "heading", "thanks"),
        [("de-DE", "Fragen von", "Danke"), ("es-ES", "Preguntas de", "Gracias")],
    )
    def test_is_walked_in_the_language_of_the_browser(
        self, browser, address, store, clinic, locale, heading, thanks
    ):
        link, secret = link_of(store, clinic)
        with browser.new_context(locale=locale) as context:
            page = context.new_page()
            page.goto(f"{address}/intake/{secret}")
            assert page.locator("html").get_attribute("lang") == locale[:2]
            expect(page.locator("h1")).to_contain_text(heading)
            begin(page, f"{address}/intake/{secret}")
            walk(page)
            page.click("button[value=send]")
            expect(page.locator("h1")).to_contain_text(thanks)
        assert kept(store, clinic, link).assessment.status == "scored"

    def test_changes_its_language_half_way(self, page, address, store, clinic):
        _, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        page.click("text=Deutsch")
        expect(page.locator("legend").first).to_have_text("Wie alt sind Sie, in vollen Jahren?")
        answer_page(page)
        page.click("button[value=next]")
        expect(page.locator("h1")).to_have_text("Warnzeichen")


class TestTheConnectionCut:
    def test_between_pages_loses_nothing(self, page, address, store, clinic):
        link, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        answer_page(page)
        page.click("button[value=next]")
        answer_page(page)
        page.context.set_offline(True)
        page.click("button[value=next]", no_wait_after=True)
        expect(page).to_have_url(ERROR)
        page.context.set_offline(False)
        page.goto(f"{address}/intake/{secret}")
        page.click("text=Go on where you stopped")
        assert at(page) == "2"
        walk(page)
        page.context.set_offline(True)
        page.click("button[value=send]", no_wait_after=True)
        expect(page).to_have_url(ERROR)
        page.context.set_offline(False)
        assert do(store, clinic, links.find_link, link).state == "started"
        page.goto(f"{address}/intake/{secret}/review")
        expect(page.locator(".answers dd").first).to_have_text("44")
        page.click("button[value=send]")
        assert kept(store, clinic, link)

    def test_after_sending_is_made_good_by_sending_again(self, page, address, store, clinic):
        link, secret = link_of(store, clinic, "phq4")
        begin(page, f"{address}/intake/{secret}")
        walk(page)
        page.route("**/review", lambda route: (route.fetch(), route.abort()), times=1)
        page.click("button[value=send]", no_wait_after=True)
        expect(page).to_have_url(ERROR)
        page.wait_for_load_state()
        made = kept(store, clinic, link)
        page.reload()
        expect(page.locator("h1")).to_have_text("Thank you. Your answers have arrived")
        assert kept(store, clinic, link) == made


class TestARedFlag:
    def test_is_told_at_once_and_cannot_be_passed_unread(self, page, address, store, clinic):
        link, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        answer_page(page)
        page.click("button[value=next]")
        answer_page(page, **FLAGGED)
        page.click("button[value=next]")
        expect(page.locator("h1")).to_have_text("Please read this before you go on")
        expect(page.locator(".notice h2").first).to_have_text("Thank you for saying this")
        expect(page.locator(".call").first).to_contain_text("116 123")
        expect(page.locator("body")).not_to_contain_text("ending my life")
        for elsewhere in ("1", "3", "review"):
            page.goto(f"{address}/intake/{secret}/{elsewhere}")
            assert at(page) == "advice"
        page.click("button[type=submit]")
        expect(page.locator(".errors")).to_have_text("Please tick that you have read this.")
        page.check("#read")
        page.click("button[type=submit]")
        assert at(page) == "3"
        (urgent,) = do(store, clinic, links.list_urgent_links)
        assert (urgent.id, urgent.tier, urgent.state) == (link, "T1", "started")

    def test_on_personal_safety_is_read_back_on_no_page(self, page, address, store, clinic):
        link, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        answer_page(page)
        page.click("button[value=next]")
        answer_page(page, q57="o2")
        page.click("button[value=next]")
        page.check("#read")
        page.click("button[type=submit]")
        page.goto(f"{address}/intake/{secret}/2")
        assert page.locator("input[name=q57]:checked").count() == 0
        page.click("button[value=next]")
        draft = do(store, clinic, drafts.find_draft, link)
        assert draft.answers["rf_personal_safety"] == ["unsafe_at_home"]
        page.goto(f"{address}/intake/{secret}/review")
        expect(page.locator(".answers").nth(1)).not_to_contain_text("safe at home")


class TestAPage:
    def test_is_gone_back_from_without_loss(self, page, address, store, clinic):
        _, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        answer_page(page)
        page.click("button[value=next]")
        page.check("#q52-none")
        page.click("button[value=back]")
        expect(page.locator("#q0")).to_have_value("44")
        page.click("button[value=next]")
        expect(page.locator("#q52-none")).to_be_checked()

    def test_is_found_again_on_another_device_by_the_same_link(
        self, browser, page, address, store, clinic
    ):
        _, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        answer_page(page)
        page.click("button[value=later]")
        with browser.new_context(locale="en-GB") as context:
            other = context.new_page()
            other.goto(f"{address}/intake/{secret}")
            other.click("text=Go on where you stopped")
            assert at(other) == "2"
            other.click("button[value=back]")
            expect(other.locator("#q0")).to_have_value("44")

    def test_leaves_nothing_in_the_browsers_storage(self, page, address, store, clinic):
        _, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        answer_page(page)
        page.click("button[value=next]")
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0
        assert page.context.cookies() == []

    def test_says_what_is_to_be_put_right_and_keeps_the_rest(self, page, address, store, clinic):
        _, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        page.fill("#q0", "144")
        page.fill("#q1", "12,5")
        page.click("button[value=next]")
        expect(page.locator(".errors li")).to_have_count(1)
        expect(page.locator("#q0-wrong")).to_have_text("Please write a number from 0 to 120.")
        expect(page.locator("#q0")).to_have_value("144")
        expect(page.locator("#q1")).to_have_value("12,5")
        page.goto(page.url)
        expect(page.locator("#q1")).to_have_value("12.5")

    def test_lets_none_of_these_stand_alone(self, page, address, store, clinic):
        _, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        answer_page(page)
        page.click("button[value=next]")
        page.check("#q52")
        page.check("#q52-none")
        expect(page.locator("#q52")).not_to_be_checked()
        page.check("#q52-1")
        expect(page.locator("#q52-none")).not_to_be_checked()

    def test_lets_the_body_be_touched(self, page, address, store, clinic):
        _, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        walk(page, until="3")
        neck = page.locator(".body-map path[data-for=q5-14]").first
        neck.click()
        assert page.locator("input[name=q5]:checked").count() == 1
        expect(neck).to_have_class("part marked")
        page.locator("input[name=q5]:checked").uncheck()
        expect(neck).to_have_class("part")


class TestAdversity:
    def test_is_asked_after_consent_and_forgotten_when_it_is_taken_back(
        self, page, address, store, clinic
    ):
        link, secret = link_of(store, clinic)
        begin(page, f"{address}/intake/{secret}")
        walk(page, until="13")
        page.check("#adversity")
        page.click("button[value=next]")
        expect(page.locator("legend").first).to_contain_text("serious adversity")
        page.check("input[name=q40][value=n3]")
        page.click("button[value=next]")
        assert do(store, clinic, drafts.find_draft, link).answers["ace_count"] == 3
        page.goto(f"{address}/intake/{secret}/13")
        page.check("#adversity-no")
        page.click("button[value=next]")
        assert at(page) == "review"
        assert "ace_count" not in do(store, clinic, drafts.find_draft, link).answers


class TestAKiosk:
    def test_clears_between_patients(self, page, address, store, clinic):
        secrets = [link_of(store, clinic, "phq4", f"MRN-{n}")[1] for n in range(2)]
        begin(page, f"{address}/kiosk/{secrets[0]}")
        assert page.url == f"{address}/kiosk/form/1"
        answer_page(page)
        page.click("button[value=next]")
        page.click("button[value=send]")
        page.click("text=Finish and clear the screen")
        expect(page.locator("h1")).to_have_text("Welcome")
        assert page.context.cookies() == []
        for _ in range(3):
            with suppress(Error):  # a page that was sent is not shown again at all
                page.go_back()
            expect(page.locator("body")).not_to_contain_text("Not at all")
        begin(page, f"{address}/kiosk/{secrets[1]}")
        assert page.locator("input:checked").count() == 0

    def test_left_in_the_middle_shows_nothing_to_the_next(self, page, address, store, clinic):
        link, secret = link_of(store, clinic, "phq4")
        begin(page, f"{address}/kiosk/{secret}")
        answer_page(page)
        page.click("button[value=next]")
        page.click("text=Clear the screen")
        page.go_back()
        expect(page.locator("h1")).to_have_text("There is nothing here")
        assert len(do(store, clinic, drafts.find_draft, link).answers) == 4


def test_a_link_for_once_opens_for_the_browser_that_began_alone(
    browser, page, address, store, clinic
):
    _, secret = link_of(store, clinic, "phq4", kind="once")
    begin(page, f"{address}/intake/{secret}")
    page.reload()
    expect(page.locator("h1")).to_have_text("The past two weeks")
    with browser.new_context(locale="en-GB") as context:
        other = context.new_page()
        other.goto(f"{address}/intake/{secret}")
        expect(other.locator("h1")).to_have_text("There is nothing here")


def enter(page):
    """Press Enter, and wait for the page that it leads to."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def reach(page, wanted):
    """Tab on until the control of this id, or with these words, has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "[document.activeElement.id, document.activeElement.textContent.trim()]"
        )
        if wanted in focused:
            return
    raise AssertionError(f"{wanted} is not reached")


def test_every_active_rulebook_has_a_form(page, address, store, clinic):
    for loaded in load_catalogue().list_active():
        link, secret = link_of(store, clinic, loaded.name)
        begin(page, f"{address}/intake/{secret}")
        walk(page)
        page.click("button[value=send]")
        assert kept(store, clinic, link).assessment.rulebook == loaded.name
