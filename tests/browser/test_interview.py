"""The interview in a browser: it keeps what was entered, and fits every screen in each language."""

import pytest
from playwright.sync_api import expect
from support.browser.form_patients import (
    answer_page,
    begin_intake,
    create_link,
    press,
    read_step,
    submit_step,
)
from support.builders import do
from support.form_controls import build_fields, find_step, load_form, name_control

from api.store.forms import drafts
from schemas.patients.links import Draft

ONE_SIZE = pytest.mark.parametrize("size", ["phone"])
AGE, DURATION = name_control("age_years"), name_control("pain_duration_months")
PAGES = {
    "numbers": ("age_years", {AGE: "44", DURATION: "6"}),
    "a number that is not valid": ("age_years", {AGE: "44", DURATION: "12,555"}),
    "choices": ("pain_extent", build_fields(pain_extent="large_area", load_provokes="unknown")),
    "a long list": ("pain_sites", build_fields(pain_sites="tailbone")),
    "a folded list": ("diagnoses", build_fields(diagnoses="none")),
    "scales": ("peg_pain", build_fields(peg_pain=7)),
}
WAYS = ("language", "emergency", "back", "later", "browser back", "reload", "second tab",
        "session end", "connection cut")  # fmt: skip
SAVED_FORM = "form[data-keep='saved']"
READ_ENTERED = """() => [...document.querySelectorAll("fieldset.field input")]
  .map((input) => [input.name, input.value, input.checked])
  .filter(([, value, checked], n, all) => checked || value)
  .filter(([name, value, checked]) => checked || /-years$|^q\\d+$/.test(name))
  .map(([name, value, checked]) => `${name}=${value} ${checked}`)"""
WIDTHS = (320, 390, 640, 768, 1280)
PHONE_HEIGHT = 844
LONGEST = {
    "age_years": 44,
    "pain_duration_months": 60,
    "fatigue": True,
    "load_provokes": True,
    "wakes_at_night": True,
    "medicines": ["opioid"],
    "overlapping_conditions": ["migraine"],
    "pain_sites": [
        "neck",
        "lower_back",
        "shoulder_left",
        "shoulder_right",
        "hip_left",
        "hip_right",
    ],
    "pain_extent": "large_area",
}
"""Answers with which every question that depends on another is asked."""


def leave(page, way: str) -> None:
    """Leave the page in this way; what a page saves by itself is saved before."""
    if way in ("browser back", "reload", "second tab", "session end", "connection cut"):
        page.wait_for_selector(SAVED_FORM)
    match way:
        case "language":
            press(page, "button[value=language-de]")
        case "back" | "later":
            submit_step(page, way)
        case "emergency":
            press(page, "button[value=emergency]")
        case "browser back":
            page.go_back()
        case "reload":
            page.reload()
        case "session end":
            page.context.clear_cookies()
        case "connection cut":
            page.context.set_offline(True)
            page.click("button[value=next]:visible", no_wait_after=True)
            expect(page.locator(".no-connection")).to_be_visible()
            page.goto("about:blank")
            page.context.set_offline(False)


@ONE_SIZE
@pytest.mark.parametrize("way", WAYS)
def test_a_page_left_in_any_way_keeps_what_was_entered(page, base_url, store, clinic, way):
    _, secret = create_link(store, clinic)
    url = f"{base_url}/intake/{secret}"
    begin_intake(page, url)
    entered_values, found_values = {}, {}
    for name, (question, values) in PAGES.items():
        page.goto(f"{url}/{find_step(question)}")
        answer_page(page, **values)
        entered_values[name] = page.evaluate(READ_ENTERED)
        leave(page, way)
        other = page.context.new_page() if way in ("second tab", "session end") else page
        other.goto(f"{url}/{find_step(question)}")
        found_values[name] = other.evaluate(READ_ENTERED)
        if other is not page:
            other.close()
    assert all(entered_values.values())
    assert found_values == entered_values


@ONE_SIZE
def test_enter_in_a_field_continues_and_changes_no_language(page, base_url, store, clinic):
    _, secret = create_link(store, clinic)
    begin_intake(page, f"{base_url}/intake/{secret}")
    answer_page(page)
    with page.expect_navigation():
        page.press(f"#{AGE}", "Enter")
    assert read_step(page) == "2"
    assert page.locator("html").get_attribute("lang") == "en"


FIND_FAULTS = """(width) => {
  const faults = [];
  const visible = (element) => element.checkVisibility() && element.getBoundingClientRect().width;
  if (document.documentElement.scrollWidth > innerWidth) faults.push("scrolls sideways");
  for (const input of document.querySelectorAll("input[type=text]"))
    if (visible(input) && input.getBoundingClientRect().height < 44)
      faults.push(`low ${input.name}`);
  for (const label of document.querySelectorAll(".option, .button, button.link")) {
    if (!visible(label)) continue;
    const { width: wide, height } = label.getBoundingClientRect();
    if (Math.min(wide, height) < 24)
      faults.push(`small ${label.textContent.trim()} ${wide}x${height}`);
  }
  if (document.querySelector("svg text")) faults.push("text in a drawing");
  for (const side of document.querySelectorAll(".body-side p")) {
    if (!visible(side)) continue;
    if (parseFloat(getComputedStyle(side).fontSize) < 11) faults.push("small type");
    const [left, right] = [...side.children].map((child) => child.getBoundingClientRect());
    if (left && right && left.right + 2 > right.left) faults.push(`overlap ${side.textContent}`);
  }
  return faults;
}"""
FIND_SMALL_TARGETS = """() => {
  const reached = new Map();
  for (const target of document.querySelectorAll(".body-map [data-for]")) {
    target.scrollIntoView({ block: "center" });
    const { left, top, width, height } = target.getBoundingClientRect();
    const name = target.dataset.for;
    const steps = (start, size) => Array.from(
      { length: Math.max(1, Math.floor(size - 23)) }, (_, n) => start + n + 0.2);
    const hits = (x, y) => document.elementFromPoint(x, y)?.dataset?.for === name;
    const found = steps(left, width).some((x) => steps(top, height).some((y) =>
      [0, 8, 16, 23.5].every((dx) => [0, 8, 16, 23.5].every((dy) => hits(x + dx, y + dy)))));
    reached.set(name, reached.get(name) || found);
  }
  return [...reached].filter(([, found]) => !found).map(([name]) => name);
}"""


@ONE_SIZE
@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_every_page_fits_every_width(page, base_url, store, clinic, language):
    link, secret = create_link(store, clinic)
    url = f"{base_url}/intake/{secret}"
    do(
        store,
        clinic,
        drafts.save_draft,
        link,
        Draft(answers=LONGEST, language=language, adversity=True),
    )
    faults, long_pages, small, visited = {}, {}, [], []
    for number in range(1, len(load_form().steps) + 1):
        page.goto(f"{url}/{number}")
        visited.append(read_step(page))
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": PHONE_HEIGHT})
            if messages := page.evaluate(FIND_FAULTS, width):
                faults[number, width] = messages
            if width == 390:
                height = page.evaluate("document.documentElement.scrollHeight")
                if height > 2 * PHONE_HEIGHT:
                    long_pages[number] = height
            if width <= 390:
                small += [(width, name) for name in page.evaluate(FIND_SMALL_TARGETS)]
    assert visited == [str(number) for number in range(1, len(load_form().steps) + 1)]
    assert (faults, long_pages, small) == ({}, {}, [])
