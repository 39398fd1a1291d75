"""Patients at a form: links to walk in by, and the ways of answering a page."""

import re
from typing import Any

from support.builders import Clinic

from api.store.forms import links
from api.store.store import Store
from schemas.form_settings import EmergencyNumber
from schemas.patient import KnownPatient
from scoring.catalogue import load_catalogue

NUMBERS = (
    EmergencyNumber(label="Emergency", number="112"),
    EmergencyNumber(label="Samaritans, day and night", number="116 123", crisis=True),
)


def link_of(
    store: Store, clinic: Clinic, rulebook: str = "nociplastic", reference: str = "MRN-0042", **more
) -> tuple[str, str]:
    """The id of a new link, and its secret."""
    name = load_catalogue().find_active(rulebook).name
    wanted = links.LinkRequest(KnownPatient(reference=reference), name, 90, **more)
    with store.transaction(clinic.actor) as work:
        made, secret = links.add_link(work, wanted)
        work.audit("create", "link", made.id)
    return made.id, secret


def begin(page: Any, address: str) -> None:
    """Agree, and begin; the first page stands when this returns."""
    page.goto(address)
    page.check("#agree")
    with page.expect_navigation():
        page.click(".button")


def answer_page(page: Any, **given: str) -> None:
    """Answer the page calmly: numbers, no, the first of each choice, none of each group.

    `given` names what is marked or written instead, by the name of the question.
    """
    for number in page.locator("input[type=text]").all():
        name = number.get_attribute("name")
        number.fill(given.get(name, "44" if name == "q0" else "60"))
    for field in page.locator("fieldset.field").all():
        marks = field.locator(".options input").all()
        if not marks or field.locator("input[type=text]").count():
            continue
        name = marks[0].get_attribute("name")
        if name in given:
            field.locator(f"input[value={given[name]}]").check()
        elif field.locator("#adversity").count():
            continue
        elif field.locator("input[value=no]").count():
            field.locator("input[value=no]").check()
        elif marks[0].get_attribute("type") == "radio":
            marks[0].check()
        else:
            field.locator("input[value=none]").check()


def at(page: Any) -> str:
    """The last part of the address."""
    return re.sub(r".*/", "", page.url)


def walk(page: Any, until: str = "review", **given: str) -> None:
    """From page to page, each answered calmly; adversity is not asked, advice is read."""
    while at(page) != until:
        if at(page) == "advice":
            page.check("#read")
            page.click("button[type=submit]")
            continue
        if page.locator("#adversity-no").count():
            page.check("#adversity-no")
        answer_page(page, **given)
        page.click("button[value=next]")
