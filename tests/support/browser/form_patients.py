"""Links for patients, and how a patient fills in the pages of a form."""

import re
from typing import Any

from support.builders import Clinic
from support.form_controls import name_control

from api.store.forms import links
from api.store.store import Store
from schemas.form_settings import EmergencyNumber
from schemas.patient import KnownPatient
from scoring.catalogue import load_catalogue

AGE = name_control("age_years")
NUMBERS = (
    EmergencyNumber(label="Emergency", number="112"),
    EmergencyNumber(label="Samaritans, day and night", number="116 123", crisis=True),
)


_LIST_CONTROLS = """() => {
  const fields = [...document.querySelectorAll("fieldset.field")];
  const listTexts = (field) => [...field.querySelectorAll("input[type=text]")];
  const groups = fields.filter((field) => !listTexts(field).length).map((field) => {
    const inputs = [...field.querySelectorAll("input")];
    return [inputs[0].name, inputs.map((input) => input.value)];
  });
  return [fields.flatMap(listTexts).map((input) => input.name),
          groups.filter(([name]) => name !== "adversity")];
}"""


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
    """Show the questions of a step that stand behind "more questions"."""
    summary = page.locator("details.more-questions:not([open]) > summary")
    if summary.count():
        summary.click()


def answer_page(page: Any, **values: str) -> None:
    """Answer every question without a red flag: a number, "no", the first option or "none".

    `values` names other options or texts by the name of their field.
    """
    open_more_questions(page)
    text_names, option_groups = page.evaluate(_LIST_CONTROLS)
    for name in text_names:
        page.fill(f"input[name={name}]", values.get(name, "44" if name == AGE else "9"))
    for name, options in option_groups:
        value = values.get(name) or next(
            (option for option in ("no", "none") if option in options), options[0]
        )
        page.check(f"input[name={name}][value={value}]")


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


def answer_until(page: Any, step: str = "review", **values: str) -> None:
    """Answer page after page until this step; refuse adversity questions, acknowledge advice."""
    while read_step(page) != step:
        if read_step(page) == "advice":
            acknowledge_advice(page)
            continue
        if page.locator("#adversity-no").count():
            page.check("#adversity-no")
        answer_step(page, **values)
