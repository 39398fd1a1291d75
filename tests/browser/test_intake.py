"""The intake of a patient in a real browser, from the link to the stored screening."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Error, expect
from support.browser.form_patients import (
    AGE,
    acknowledge_advice,
    answer_page,
    answer_step,
    answer_until,
    begin_intake,
    create_link,
    press,
    read_step,
    submit_step,
)
from support.browser.served_api import fetch_content
from support.builders import do
from support.form_controls import (
    RED_FLAG_GROUPS,
    build_fields,
    build_option_id,
    find_consent_step,
    find_step,
    load_form,
    name_control,
    name_option,
)

from api.forms.form_model import YEARS_SUFFIX
from api.store.forms import drafts, links
from api.store.screenings import screenings
from scoring.catalogue import load_catalogue

ERROR = re.compile("^chrome-error:")
ONE_SIZE = pytest.mark.parametrize("size", ["phone"])
FLAGGED = build_fields(
    rf_head_and_face="new_headache_worse_lying_or_straining",
    rf_personal_safety="suicidal_thoughts",
)
"""A headache to be checked today, and thoughts of ending one's life."""
FIRST_FLAGS, SITES = str(find_step("rf_spine_and_nerves")), str(find_step("pain_sites"))
HEAD, SAFETY = str(find_step("rf_head_and_face")), str(find_step("rf_personal_safety"))
DURATION = name_control("pain_duration_months")
NECK = build_option_id("pain_sites", "neck")
NO_RED_FLAG = build_option_id("rf_spine_and_nerves", "none")


def find_screening(store, clinic, link_id):
    """Return the screening submitted under the link."""
    link = do(store, clinic, links.find_link, link_id)
    assert link.state == "submitted"
    return do(store, clinic, screenings.find_screening, link.screening)


class TestIntake:
    def test_ends_in_a_stored_screening_and_its_pdf(self, page, base_url, store, clinic):
        link, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page)
        expect(page.locator("h1")).to_have_text("Check your answers")
        submit_step(page, "send")
        expect(page.locator("h1")).to_have_text("Thank you. We have received your answers")
        screening = find_screening(store, clinic, link)
        assert screening.patient.reference == "MRN-0042"
        assert (screening.origin.means, screening.origin.actor) == ("form", link)
        assert screening.context.answered_by == "patient"
        assert screening.assessment.status == "scored"
        assert screening.answers["age_years"] == 44
        assert screening.answers["diagnoses"] == []
        assert "ace_count" not in screening.answers
        pdf = fetch_content(base_url, clinic, f"/v1/screenings/{screening.id}/report.pdf")
        assert pdf.startswith(b"%PDF")

    def test_can_be_completed_by_keyboard_alone(self, page, base_url, store, clinic):
        link, secret = create_link(store, clinic, "phq4")
        page.goto(f"{base_url}/intake/{secret}")
        focus_by_tab(page, "agree")
        page.keyboard.press("Space")
        focus_by_tab(page, "Begin")
        press_enter(page)
        for name in ("q0", "q1", "q2", "q3"):
            focus_by_tab(page, name)
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
        focus_by_tab(page, "Continue")
        press_enter(page)
        focus_by_tab(page, "Send my answers")
        press_enter(page)
        expect(page.locator("h1")).to_contain_text("Thank you")
        assert find_screening(store, clinic, link).answers == dict.fromkeys(
            ("phq4_nervous", "phq4_worrying", "phq4_interest", "phq4_down"), 1
        )

    def test_body_map_and_advice_can_be_used_by_keyboard_alone(self, page, base_url, store, clinic):
        link, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        for name, text in ((AGE, "44"), (DURATION, "1"), (f"{DURATION}-months", "6")):
            focus_by_tab(page, name)
            page.keyboard.type(text)
        focus_by_tab(page, build_option_id("cancer_ever", answer=True))
        page.keyboard.press("ArrowDown")
        for question in ("rf_general", *(it for it in RED_FLAG_GROUPS if it != "rf_general")):
            focus_by_tab(page, build_option_id(question, "none"))
            page.keyboard.press("Space")
            press_enter(page)
        focus_by_tab(page, build_option_id("rf_personal_safety", "suicidal_thoughts"))
        page.keyboard.press("Space")
        press_enter(page)
        expect(page).to_have_url(re.compile("/advice$"))
        focus_by_tab(page, "I have read this. Continue")
        press_enter(page)
        focus_by_tab(page, NECK)
        page.keyboard.press("Space")
        assert page.locator(".body-map .selected").count() == 2
        focus_by_tab(page, "Save and finish later")
        press_enter(page)
        expect(page.locator("h1")).to_have_text("Your answers are saved")
        draft = do(store, clinic, drafts.find_draft, link)
        assert draft.answers["pain_sites"] == ["neck"]
        assert (draft.answers["pain_duration_months"], draft.answers["cancer_ever"]) == (18, False)

    def test_needs_no_scripts(self, browser, base_url, store, clinic):
        link, secret = create_link(store, clinic)
        with browser.new_context(java_script_enabled=False, locale="en-GB") as context:
            page = context.new_page()
            begin_intake(page, f"{base_url}/intake/{secret}")
            answer_until(page, **build_fields(pain_sites="neck"), **FLAGGED)
            expect(page.locator(".body-map:visible")).to_have_count(0)
            submit_step(page, "send")
            expect(page.locator("h1")).to_contain_text("Thank you")
        screening = find_screening(store, clinic, link)
        assert screening.answers["pain_sites"] == ["neck"]
        assert screening.assessment.status == "withheld_red_flag"

    @pytest.mark.parametrize(
        ("locale", "heading", "thanks"),
        [("de-DE", "Fragen von", "Danke"), ("es-ES", "Preguntas de", "Gracias")],
    )
    def test_uses_the_language_of_the_browser(
        self, browser, base_url, store, clinic, locale, heading, thanks
    ):
        link, secret = create_link(store, clinic)
        with browser.new_context(locale=locale) as context:
            page = context.new_page()
            page.goto(f"{base_url}/intake/{secret}")
            assert page.locator("html").get_attribute("lang") == locale[:2]
            expect(page.locator("h1")).to_contain_text(heading)
            begin_intake(page, f"{base_url}/intake/{secret}")
            answer_until(page)
            submit_step(page, "send")
            expect(page.locator("h1")).to_contain_text(thanks)
        assert find_screening(store, clinic, link).assessment.status == "scored"

    def test_can_change_its_language_half_way(self, page, base_url, store, clinic):
        _, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        press(page, "text=Deutsch")
        expect(page.locator("legend").first).to_have_text("Wie alt sind Sie?")
        answer_step(page)
        expect(page.locator("h1")).to_have_text("Warnzeichen 1")


@ONE_SIZE
class TestConnectionLoss:
    def test_between_steps_loses_nothing(self, page, base_url, store, clinic):
        link, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_step(page)
        page.context.set_offline(True)
        answer_page(page)
        page.click("button[value=next]:visible", no_wait_after=True)
        expect(page.locator(".no-connection")).to_contain_text("still on this page")
        page.context.set_offline(False)
        expect(page.locator(".no-connection")).to_be_hidden()
        submit_step(page)
        assert read_step(page) == "3"
        answer_until(page)
        page.context.set_offline(True)
        page.click("button[value=send]", no_wait_after=True)
        expect(page).to_have_url(ERROR)
        page.context.set_offline(False)
        assert do(store, clinic, links.find_link, link).state == "started"
        page.goto(f"{base_url}/intake/{secret}/review")
        expect(page.locator(".answers dd").first).to_have_text("44")
        submit_step(page, "send")
        assert find_screening(store, clinic, link)

    def test_after_submission_is_repaired_by_submitting_again(self, page, base_url, store, clinic):
        link, secret = create_link(store, clinic, "phq4")
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page)
        page.route("**/review", lambda route: (route.fetch(), route.abort()), times=1)
        page.click("button[value=send]", no_wait_after=True)
        expect(page).to_have_url(ERROR)
        page.wait_for_load_state()
        screening = find_screening(store, clinic, link)
        page.reload()
        expect(page.locator("h1")).to_have_text("Thank you. We have received your answers")
        assert find_screening(store, clinic, link) == screening


class TestRedFlag:
    def test_shows_advice_at_once_that_cannot_be_skipped(self, page, base_url, store, clinic):
        link, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page, step=SAFETY, **FLAGGED)
        answer_step(page, **FLAGGED)
        expect(page.locator("h1")).to_have_text("Thank you for telling us")
        expect(page.locator(".call").first).to_contain_text("116 123")
        expect(page.locator("body")).not_to_contain_text("ending my life")
        for elsewhere in ("1", SITES, "review"):
            page.goto(f"{base_url}/intake/{secret}/{elsewhere}")
            assert read_step(page) == "advice"
        acknowledge_advice(page)
        assert read_step(page) == str(int(SAFETY) + 1)
        (urgent,) = do(store, clinic, links.list_urgent_links)
        assert (urgent.id, urgent.tier, urgent.state) == (link, "T1", "started")

    def test_fits_one_screen_with_one_heading_and_one_number(self, page, base_url, store, clinic):
        _, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        groups = build_fields(
            rf_spine_and_nerves="saddle_numbness", rf_head_and_face="painful_red_eye"
        )
        answer_until(page, step="advice", **groups)
        height = page.viewport_size["height"]
        for text in ("Get help now", "Emergency"):
            box = page.get_by_text(text, exact=True).bounding_box()
            assert box["y"] + box["height"] <= height
        button = page.locator("button[name=read]").bounding_box()
        assert button["y"] + button["height"] <= height
        assert page.locator("h1:visible, h2:visible").count() == 1
        assert page.locator("a[href^='tel:']:visible").count() == 1
        call = page.locator(".call:visible").bounding_box()
        notice = page.locator(".notice.urgent").bounding_box()
        assert call["width"] > notice["width"] * 0.8


class TestSafetyAtHome:
    def test_no_page_that_can_be_opened_later_tells_who_selected_it(
        self, browser, base_url, store, clinic
    ):
        texts = []
        for answer in ("none", "unsafe_at_home"):
            _, secret = create_link(store, clinic)
            with browser.new_context(locale="en-GB") as context:
                page = context.new_page()
                begin_intake(page, f"{base_url}/intake/{secret}")
                answer_until(page, step=SAFETY)
                answer_page(page, **build_fields(rf_personal_safety=answer))
                submit_step(page)
                if answer == "unsafe_at_home":
                    expect(page.locator("h1")).to_contain_text("speak with your clinician alone")
                texts.append(read_later_pages(page, f"{base_url}/intake/{secret}"))
        assert len(texts[0]) > 25
        assert texts[0] == texts[1]

    @ONE_SIZE
    @pytest.mark.parametrize("at", ["the question", "the advice"])
    def test_is_left_quickly_for_a_page_that_says_nothing(self, page, base_url, store, clinic, at):
        link, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page, step=SAFETY)
        page.check(f"#{build_option_id('rf_personal_safety', 'unsafe_at_home')}")
        if at == "the advice":
            submit_step(page)
            assert read_step(page) == "advice"
        press(page, "text=Exit this page quickly")
        assert page.url == f"{base_url}/closed"
        expect(page.locator("body")).not_to_contain_text("Harbour")
        expect(page.locator("body")).not_to_contain_text("uestion")
        draft = do(store, clinic, drafts.find_draft, link)
        assert draft.answers["rf_personal_safety"] == ["unsafe_at_home"]
        page.goto(f"{base_url}/intake/{secret}/advice")
        assert read_step(page) != "advice"


def read_later_pages(page, url):
    """Return the texts of all pages, opened again, then of the pages after sending."""
    texts = []
    steps = len(load_form().steps) - 1
    for name in [*range(1, steps + 1), "advice", "saved", "review", ""]:
        page.goto(f"{url}/{name}".rstrip("/"))
        texts.append(page.inner_text("main"))
    page.goto(f"{url}/{SITES}")
    answer_until(page)
    submit_step(page, "send")
    texts.append(page.inner_text("main"))
    page.goto(url)
    return [*texts, page.inner_text("main")]


class TestSent:
    def test_tells_what_happens_next_and_shows_a_copy_without_a_score(
        self, browser, page, base_url, store, clinic
    ):
        _, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page)
        submit_step(page, "send")
        expect(page.locator("h2").first).to_have_text("What happens next")
        copy = page.locator(".copy")
        expect(copy).to_contain_text("How old are you?")
        expect(copy).to_contain_text("44")
        assert not re.search("point|score|band|range", copy.inner_text())
        page.reload()
        expect(copy).to_contain_text("44")
        with browser.new_context(locale="en-GB") as context:
            other_page = context.new_page()
            other_page.goto(f"{base_url}/intake/{secret}")
            expect(other_page.locator("h1")).to_have_text("Your answers were sent")
            expect(other_page.locator(".copy")).to_have_count(0)


class TestStep:
    def test_keeps_its_answers_when_going_back(self, page, base_url, store, clinic):
        _, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page, step=FIRST_FLAGS)
        page.check(f"#{NO_RED_FLAG}")
        submit_step(page, "back")
        expect(page.locator(f"#{AGE}")).to_have_value("44")
        submit_step(page)
        expect(page.locator(f"#{NO_RED_FLAG}")).to_be_checked()

    def test_is_resumed_on_another_device_with_the_same_link(
        self, browser, page, base_url, store, clinic
    ):
        _, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_page(page)
        submit_step(page, "later")
        with browser.new_context(locale="en-GB") as context:
            other_page = context.new_page()
            other_page.goto(f"{base_url}/intake/{secret}")
            press(other_page, "text=Continue where you left off")
            assert read_step(other_page) == "2"
            submit_step(other_page, "back")
            expect(other_page.locator(f"#{AGE}")).to_have_value("44")

    def test_leaves_nothing_in_the_storage_of_the_browser(self, page, base_url, store, clinic):
        _, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_step(page)
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0
        assert page.context.cookies() == []

    def test_shows_faults_and_saves_the_valid_answers(self, page, base_url, store, clinic):
        link, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        years, months = (
            page.locator(f"input[name={name}]") for name in (DURATION + YEARS_SUFFIX, DURATION)
        )
        answer_page(page, **{AGE: "144", DURATION + YEARS_SUFFIX: "0", DURATION: "12,5"})
        submit_step(page)
        for again in (None, page.reload):
            if again:
                again()
            expect(page.locator(".errors li")).to_have_count(1)
            fault = page.locator(f"#{AGE}-wrong")
            expect(fault).to_have_text("Please enter a number from 0 to 120.")
            expect(page.locator(f"#{AGE}")).to_have_value("144")
            expect(years).to_have_value("1")
            expect(months).to_have_value("0.5")
        assert "age_years" not in do(store, clinic, drafts.find_draft, link).answers
        page.fill(f"#{AGE}", "44")
        submit_step(page)
        page.go_back()
        expect(page.locator(f"#{AGE}")).to_have_value("44")
        expect(page.locator(".errors")).to_have_count(0)

    def test_clears_other_options_for_none_of_these(self, page, base_url, store, clinic):
        _, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page, step=FIRST_FLAGS)
        first, second = (
            build_option_id("rf_spine_and_nerves", option)
            for option in ("saddle_numbness", "both_legs_weak_or_numb")
        )
        page.check(f"#{first}")
        page.check(f"#{NO_RED_FLAG}")
        expect(page.locator(f"#{first}")).not_to_be_checked()
        page.check(f"#{second}")
        expect(page.locator(f"#{NO_RED_FLAG}")).not_to_be_checked()

    def test_selects_places_on_the_body_map(self, page, base_url, store, clinic):
        _, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page, step=SITES)
        neck = page.locator(f".body-map path[data-for={NECK}]").first
        page.locator(f".body-map rect[data-for={NECK}]").first.click()
        selected = page.locator(f"input[name={name_control('pain_sites')}]:checked")
        assert selected.count() == 1
        expect(neck).to_have_class("part selected")
        selected.uncheck()
        expect(neck).to_have_class("part")


@ONE_SIZE
class TestAdversity:
    def test_is_asked_after_consent_and_erased_if_consent_is_withdrawn(
        self, page, base_url, store, clinic
    ):
        link, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page, step=str(find_consent_step()))
        page.check("#adversity")
        submit_step(page)
        expect(page.locator("legend").first).to_contain_text("serious adversity")
        name, value = name_control("ace_count"), name_option("ace_count", 3)
        page.check(f"input[name={name}][value={value}]")
        submit_step(page)
        assert do(store, clinic, drafts.find_draft, link).answers["ace_count"] == 3
        page.goto(f"{base_url}/intake/{secret}/{find_consent_step()}")
        page.check("#adversity-no")
        submit_step(page)
        assert read_step(page) == "review"
        assert "ace_count" not in do(store, clinic, drafts.find_draft, link).answers


@ONE_SIZE
class TestKiosk:
    def test_clears_between_patients(self, page, base_url, store, clinic):
        secrets = [create_link(store, clinic, "phq4", f"MRN-{n}")[1] for n in range(2)]
        begin_intake(page, f"{base_url}/kiosk/{secrets[0]}")
        assert page.url == f"{base_url}/kiosk/form/1"
        answer_step(page)
        submit_step(page, "send")
        press(page, "text=Finish and clear the screen")
        expect(page.locator("h1")).to_have_text("Welcome")
        assert page.context.cookies() == []
        for _ in range(3):
            with suppress(Error):  # a page that was sent is not shown again at all
                page.go_back()
            expect(page.locator("body")).not_to_contain_text("Not at all")
        begin_intake(page, f"{base_url}/kiosk/{secrets[1]}")
        assert page.locator("input:checked").count() == 0

    def test_left_in_the_middle_shows_nothing_to_the_next_patient(
        self, page, base_url, store, clinic
    ):
        link, secret = create_link(store, clinic, "phq4")
        begin_intake(page, f"{base_url}/kiosk/{secret}")
        answer_step(page)
        press(page, "text=Clear the screen")
        page.go_back()
        expect(page.locator("h1")).to_have_text("This page is not available")
        assert len(do(store, clinic, drafts.find_draft, link).answers) == 4


@ONE_SIZE
def test_a_once_link_opens_only_in_the_browser_that_started(browser, page, base_url, store, clinic):
    _, secret = create_link(store, clinic, "phq4", kind="once")
    begin_intake(page, f"{base_url}/intake/{secret}")
    page.reload()
    expect(page.locator("h1")).to_have_text("The past two weeks")
    with browser.new_context(locale="en-GB") as context:
        other_page = context.new_page()
        other_page.goto(f"{base_url}/intake/{secret}")
        expect(other_page.locator("h1")).to_have_text("This page is not available")


def press_enter(page):
    """Press Enter and wait for the page that it leads to."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def focus_by_tab(page, target):
    """Press Tab until the control with this id or text has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "[document.activeElement.id, document.activeElement.textContent.trim()]"
        )
        if target in focused:
            return
    raise AssertionError(f"{target} cannot be reached")


@ONE_SIZE
def test_every_active_rulebook_has_a_form(page, base_url, store, clinic):
    names = [loaded.name for loaded in load_catalogue().list_active()]
    links = []
    for name in names:
        link, secret = create_link(store, clinic, name)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page)
        submit_step(page, "send")
        links.append(link)
    screenings = [find_screening(store, clinic, link) for link in links]
    assert names
    assert [screening.assessment.rulebook for screening in screenings] == names
