"""Two whole walks: an anxious patient on a phone, and a hospital clinician at a desktop."""

import json
import re

import pypdfium2
import pytest
from playwright.sync_api import expect
from support import builders
from support.browser.form_patients import (
    AGE,
    begin_intake,
    create_link,
    press,
    read_step,
    submit_step,
)
from support.browser.practitioners import PASSWORD, add_practitioner_login
from support.builders import do
from support.form_controls import build_option_id, find_step, name_control
from support.second_release import WITHHELD, assess_case

from api.store.forms import drafts, links
from api.store.screenings import screenings
from schemas.base import to_json_number

DURATION = name_control("pain_duration_months")
ANSWER_NOT_SURE = """() => {
  for (const field of document.querySelectorAll("fieldset.field"))
    (field.querySelector("[value=unknown]") ?? field.querySelector("[value=none]"))?.click();
}"""


def answer_not_sure(page) -> None:
    """Answer "not sure" wherever a page offers it, else "none of these"."""
    page.evaluate(ANSWER_NOT_SURE)
    for name, text in ((AGE, "44"), (f"{DURATION}-years", "2")):
        if page.locator(f"[name={name}]").count():
            page.fill(f"[name={name}]", text)


def answer_not_sure_until(page, step: int | str) -> None:
    while read_step(page) != str(step):
        answer_not_sure(page)
        submit_step(page)


@pytest.mark.parametrize("size", ["phone"])
def test_an_anxious_patient_finishes_after_going_back_and_leaving(page, base_url, store, clinic):
    link, secret = create_link(store, clinic)
    url = f"{base_url}/intake/{secret}"
    begin_intake(page, url)
    answer_not_sure(page)
    page.wait_for_selector("form[data-keep='saved']")
    page.go_back()
    expect(page.locator("main .button")).to_have_text("Continue where you left off")
    page.go_forward()
    page.reload()
    assert page.input_value(f"[name={AGE}]") == "44"
    safety = find_step("rf_personal_safety")
    answer_not_sure_until(page, safety)
    page.check(f"#{build_option_id('rf_personal_safety', 'unsafe_at_home')}")
    press(page, "text=Exit this page quickly")
    assert page.url == f"{base_url}/closed"

    page.goto(url)
    press(page, "main .button")
    assert read_step(page) == str(safety)
    assert page.locator("input:checked").count() == 0
    expect(page.locator("main")).not_to_contain_text("alone")
    submit_step(page)
    answer_not_sure_until(page, find_step("diagnoses"))
    page.goto(f"{url}/{find_step('rf_head_and_face')}")
    page.check(f"#{build_option_id('rf_head_and_face', 'thunderclap_headache')}")
    submit_step(page)
    assert read_step(page) == "advice"
    assert page.locator("a.call:visible").count() == 1
    page.go_back()
    page.go_forward()
    press(page, "button[name=read]")
    page.goto(f"{url}/{find_step('diagnoses')}")
    answer_not_sure(page)
    submit_step(page)
    submit_step(page, "finish")
    expect(page.locator("main")).not_to_contain_text("safe with someone")
    submit_step(page, "send")
    expect(page.locator("h1")).to_have_text("Thank you. We have received your answers")
    page.reload()
    expect(page.locator("h1")).to_have_text("Thank you. We have received your answers")

    screening_id = do(store, clinic, links.find_link, link).screening
    screening = do(store, clinic, screenings.find_screening, screening_id)
    assert screening.answers["rf_personal_safety"] == ["unsafe_at_home"]
    assert screening.answers["age_years"] == 44
    assert screening.answers.keys().isdisjoint({"pain_extent", "fatigue"})
    assert {"T0", "T1"} <= {flag.tier for flag in screening.assessment.safety.flags}
    assert do(store, clinic, drafts.find_draft, link) is None


INBOX = "[aria-labelledby=unacknowledged]"


def sign_in(page, base_url, login) -> None:
    page.goto(f"{base_url}/sign-in")
    for field, text in (("name", login.name), ("password", PASSWORD), ("code", login.code)):
        page.fill(f"#{field}", text)
    press(page, "main button[type=submit]")


@pytest.mark.parametrize("size", ["desktop"])
def test_a_hospital_clinician_deals_with_each_flag_answers_and_prints(
    page, base_url, store, clinic
):
    intake = builders.intake("MRN-0700")._replace(
        answers=json.loads(json.dumps(WITHHELD.answers, default=to_json_number)),
        assessment=assess_case(WITHHELD),
    )
    screening = do(store, clinic, screenings.add_screening, intake)
    flag_count = len(intake.assessment.safety.flags)
    sign_in(page, base_url, add_practitioner_login(store, clinic))
    press(page, f"{INBOX} a[href*='{screening.id}']")
    for number in range(1, flag_count + 1):
        form = f"#acknowledge-{number}"
        if page.locator(f"details:not([open]) > {form}").count():
            page.locator(f"details:has({form}) > summary").click()
        page.fill(f"#reached-{number}", "The patient")
        page.fill(f"#done-{number}", f"Act {number}")
        press(page, f"{form} button")
    assert page.locator(".flag .notice.good").count() == flag_count
    assert page.locator(".action-form").count() == 0

    press(page, "#everything a[href$='/reasons']")
    expect(page.locator("#sources")).to_be_visible()
    page.go_back()
    press(page, "#everything a[href$='/answers-given']")
    expect(page.locator(".body-shown")).to_be_visible()
    press(page, ".up a")
    press(page, "a[href*='topic=clinician']")
    page.locator("details.topic[open] fieldset.field input").first.check()
    press(page, "main button.button[type=submit]:visible")
    corrected_id = page.url[-36:]
    corrected = do(store, clinic, screenings.find_screening, corrected_id)
    assert corrected.replaces == screening.id
    assert len(corrected.acknowledgements) == flag_count
    with page.expect_download() as download:
        page.click("text=PDF for the chart")
    document = pypdfium2.PdfDocument(download.value.path())
    text = "".join(sheet.get_textpage().get_text_range() for sheet in document)
    document.close()
    assert "Act 1" in text
    page.goto(f"{base_url}/desk")
    assert page.locator(INBOX).count() == 0
    with page.expect_download() as export:
        page.click("text=CSV")
    rows = export.value.path().read_text(encoding="utf-8")
    assert re.search("MRN-0700.*\n", rows)


MEASURE = """(selectors) => selectors.map((selector) => {
  const style = getComputedStyle(document.querySelector(selector));
  return [style.fill, parseFloat(style.strokeWidth)];
})"""
MODES = (("active", "dark"), ("active", "light"), ("none", "dark"), ("none", "light"))
PLAIN_PART, SELECTED_PART = ".body-map .part:not(.selected)", ".body-map .part.selected"
PLAIN_SEGMENT, RESULT_SEGMENT = ".chart .segment:not(.result)", ".chart .segment.result"


def measure_modes(page, *selectors: str) -> dict[tuple[str, str], list]:
    """Return fill and outline of each element in forced colours and in the dark."""
    measured = {}
    for forced, scheme in MODES:
        page.emulate_media(forced_colors=forced, color_scheme=scheme)
        measured[forced, scheme] = page.evaluate(MEASURE, list(selectors))
    return measured


@pytest.mark.parametrize("size", ["desktop"])
def test_in_forced_colours_and_the_dark_nothing_is_told_by_colour_alone(
    page, base_url, store, clinic
):
    _, secret = create_link(store, clinic)
    begin_intake(page, f"{base_url}/intake/{secret}")
    answer_not_sure_until(page, find_step("pain_sites"))
    page.check(f"#{build_option_id('pain_sites', 'neck')}")
    parts = measure_modes(page, PLAIN_PART, SELECTED_PART)
    scored = builders.add(store, clinic, "MRN-0701", example="widespread_pain").id
    flagged = builders.add(store, clinic, "MRN-0702", example="red_flag").id
    sign_in(page, base_url, add_practitioner_login(store, clinic))
    page.goto(f"{base_url}/desk/screenings/{scored}")
    segments = measure_modes(page, PLAIN_SEGMENT, RESULT_SEGMENT, ".chart text")
    for plain, selected, *_ in (*parts.values(), *segments.values()):
        assert plain[1] < selected[1]
    black, white = "rgb(0, 0, 0)", "rgb(255, 255, 255)"
    assert parts["active", "dark"][0][0] == segments["active", "dark"][0][0] == black
    assert segments["active", "dark"][2][0] == white
    assert segments["active", "light"][2][0] == black
    fills = {mode: [fill for fill, _ in values] for mode, values in segments.items()}
    assert fills["none", "dark"] != fills["none", "light"]
    page.goto(f"{base_url}/desk/screenings/{flagged}")
    tier = page.locator(".flag .tier").first
    assert tier.inner_text().startswith("T0 · Emergency now")
    assert tier.locator("use").get_attribute("href") == "#T0"
    assert page.locator("symbol#T0 path").count() == 2
