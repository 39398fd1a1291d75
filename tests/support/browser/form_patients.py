"""Links for patients, and how a patient fills in the pages of a form."""

import re
from typing import Any

from support.builders import Clinic
from support.form_controls import name_control

from api.store.forms import links
from api.store.store import Store
from schemas.organisations.form_settings import EmergencyNumber
from schemas.patients.patient import KnownPatient
from scoring.catalogue import load_catalogue

AGE = name_control("age_years")
NUMBERS = (
    EmergencyNumber(label="Emergency", number="112"),
    EmergencyNumber(label="Samaritans, day and night", number="116 123", crisis=True),
)


_ANSWER = """(page, values) => {
  for (const field of page.querySelectorAll("fieldset.field")) {
    const inputs = [...field.querySelectorAll("input")];
    const texts = inputs.filter((input) => input.type === "text");
    for (const text of texts) {
      text.value = values[text.name] ?? (text.name === "AGE" ? "44" : "9");
      text.dispatchEvent(new Event("input", {bubbles: true}));
      text.dispatchEvent(new Event("change", {bubbles: true}));
    }
    if (texts.length || inputs[0].name === "adversity") continue;
    const options = inputs.map((input) => input.value);
    const usual = ["no", "none"].find((option) => options.includes(option)) ?? options[0];
    const chosen = inputs.find((input) => input.value === (values[input.name] ?? usual));
    if (!chosen.checked) chosen.click();
  }
}""".replace("AGE", AGE)

_ANSWER_UNTIL = """async ([step, values]) => {
  const answer = ANSWER;
  let url = location.href, page = document;
  while (!url.endsWith("/" + step)) {
    const advice = page.querySelector("button[name=read]");
    const button = advice ?? page.querySelector("button[value=next]");
    const consent = page.querySelector(values.adversity === "yes" ? "#adversity" : "#adversity-no");
    if (consent) consent.checked = true;
    if (!advice) answer(page, values);
    const body = new URLSearchParams(new FormData(button.form, button));
    const response = await fetch(button.form.action, {method: "POST", body});
    url = response.url;
    page = new DOMParser().parseFromString(await response.text(), "text/html");
  }
  return url;
}""".replace("ANSWER", _ANSWER)


def create_link(
    store: Store, clinic: Clinic, rulebook: str = "nociplastic", reference: str = "MRN-0042", **more
) -> tuple[str, str]:
    """Return the id of a new link and its secret."""
    name = load_catalogue().find_active(rulebook).name
    link_request = links.LinkRequest(KnownPatient(reference=reference), name, 90, **more)
    with store.transaction(clinic.actor) as work:
        link, secret = links.add_link(work, link_request)
        work.audit("create", "link", link.id)
    return link.id, secret


def press(page: Any, selector: str) -> None:
    """Press a button or link and wait for the page that it leads to."""
    with page.expect_navigation():
        page.click(selector)


def submit_step(page: Any, intent: str = "next") -> None:
    """Press the button with this value and wait for the next page."""
    press(page, f"button[value={intent}]:visible")


def begin_intake(page: Any, url: str) -> None:
    """Open the start page and agree; return on the first step."""
    page.goto(url)
    page.check("#agree")
    press(page, ".button")


def open_more_questions(page: Any) -> None:
    """Show the questions of a step behind "more questions"."""
    summary = page.locator("details.more-questions:not([open]) > summary")
    if summary.count():
        summary.click()


def answer_page(page: Any, **values: str) -> None:
    """Answer every question without a red flag: a number, "no", the first option or "none".

    `values` names other options or texts by the name of their field.
    """
    open_more_questions(page)
    page.evaluate(f"(values) => ({_ANSWER})(document, values)", values)


def answer_step(page: Any, **values: str) -> None:
    """Answer the questions of a step and continue."""
    answer_page(page, **values)
    submit_step(page)


def read_step(page: Any) -> str:
    """Return the last part of the URL: the number of the step or the name of the page."""
    return re.sub(r".*/", "", page.url)


def acknowledge_advice(page: Any) -> None:
    """Confirm that the advice was read."""
    press(page, "button[name=read]")


def answer_until(page: Any, step: object = "review", **values: str) -> None:
    """Answer page after page until this step; acknowledge advice.

    Questions on adversity are refused, unless `adversity` is "yes". The pages on the way are
    fetched by the browser, but not shown.
    """
    page.goto(page.evaluate(_ANSWER_UNTIL, [str(step), values]))
