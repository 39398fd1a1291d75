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
RED_FLAGS, SITES = str(find_step("rf_personal_safety")), str(find_step("pain_sites"))
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
        press_enter(page)
        for question in RED_FLAG_GROUPS:
            focus_by_tab(page, build_option_id(question, "none"))
            page.keyboard.press("Space")
        focus_by_tab(page, build_option_id("rf_personal_safety", "suicidal_thoughts"))
        page.keyboard.press("Space")
        press_enter(page)
        expect(page).to_have_url(re.compile("/advice$"))
        focus_by_tab(page, "read")
        page.keyboard.press("Space")
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
        expect(page.locator("legend").first).to_have_text("Wie alt sind Sie, in vollen Jahren?")
        answer_step(page)
        expect(page.locator("h1")).to_have_text("Warnzeichen")


@ONE_SIZE
class TestConnectionLoss:
    def test_between_steps_loses_nothing(self, page, base_url, store, clinic):
        link, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_step(page)
        answer_page(page)
        page.context.set_offline(True)
        page.click("button[value=next]", no_wait_after=True)
        expect(page).to_have_url(ERROR)
        page.context.set_offline(False)
        page.goto(f"{base_url}/intake/{secret}")
        press(page, "text=Continue where you left off")
        assert read_step(page) == "2"
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
        answer_until(page, step=RED_FLAGS)
        answer_step(page, **FLAGGED)
        expect(page.locator("h1")).to_have_text("Please read this before you continue")
        expect(page.locator(".notice h2").first).to_have_text("Thank you for telling us")
        expect(page.locator(".call").first).to_contain_text("116 123")
        expect(page.locator("body")).not_to_contain_text("ending my life")
        for elsewhere in ("1", SITES, "review"):
            page.goto(f"{base_url}/intake/{secret}/{elsewhere}")
            assert read_step(page) == "advice"
        press(page, "button[type=submit]")
        expect(page.locator(".errors")).to_have_text(
            "Please tick the box to show that you have read this."
        )
        acknowledge_advice(page)
        assert read_step(page) == str(int(RED_FLAGS) + 1)
        (urgent,) = do(store, clinic, links.list_urgent_links)
        assert (urgent.id, urgent.tier, urgent.state) == (link, "T1", "started")

    def test_about_personal_safety_is_not_shown_again(self, page, base_url, store, clinic):
        link, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page, step=RED_FLAGS)
        answer_step(page, **build_fields(rf_personal_safety="unsafe_at_home"))
        acknowledge_advice(page)
        page.goto(f"{base_url}/intake/{secret}/{RED_FLAGS}")
        name = name_control("rf_personal_safety")
        assert page.locator(f"input[name={name}]").count() > 0
        assert page.locator(f"input[name={name}]:checked").count() == 0
        submit_step(page)
        draft = do(store, clinic, drafts.find_draft, link)
        assert draft.answers["rf_personal_safety"] == ["unsafe_at_home"]
        page.goto(f"{base_url}/intake/{secret}/review")
        expect(page.locator(".answers").nth(int(RED_FLAGS) - 1)).not_to_contain_text("safe at home")


class TestStep:
    def test_keeps_its_answers_when_going_back(self, page, base_url, store, clinic):
        _, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page, step=RED_FLAGS)
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
        _, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        years, months = (
            page.locator(f"input[name={name}]") for name in (DURATION + YEARS_SUFFIX, DURATION)
        )
        answer_page(page, **{AGE: "144", DURATION + YEARS_SUFFIX: "0", DURATION: "12,5"})
        submit_step(page)
        expect(page.locator(".errors li")).to_have_count(1)
        expect(page.locator(f"#{AGE}-wrong")).to_have_text("Please enter a number from 0 to 120.")
        expect(page.locator(f"#{AGE}")).to_have_value("144")
        expect(months).to_have_value("12,5")
        page.goto(page.url)
        expect(years).to_have_value("1")
        expect(months).to_have_value("0.5")

    def test_clears_other_options_for_none_of_these(self, page, base_url, store, clinic):
        _, secret = create_link(store, clinic)
        begin_intake(page, f"{base_url}/intake/{secret}")
        answer_until(page, step=RED_FLAGS)
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
        neck.click()
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
