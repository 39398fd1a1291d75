"""The whole way of a patient, from the link to what is kept, in a real browser."""

import os
import pytest
from keeping import do
from walking import answer_page, at, begin, link_of

from api.store import links


def test_shots(page, address, store, clinic, request):
    folder = os.environ["SHOTS"] + "/" + ("phone" if page.viewport_size["width"] < 500 else "desktop")
    os.makedirs(folder, exist_ok=True)
    count = iter(range(100))

    def shot(name):
        page.screenshot(path=f"{folder}/{next(count):02}-{name}.png", full_page=True)

    _, secret = link_of(store, clinic)
    page.goto(f"{address}/intake/{secret}")
    shot("first")
    begin(page, f"{address}/intake/{secret}")
    while at(page) != "review":
        shot(f"step{at(page)}")
        if page.locator("#adversity").count():
            page.check("#adversity")
        answer_page(page, **({"q53": "o5", "q57": "o1", "q56":"o2"} if at(page) == "2" else {}))
        if page.locator(".body-map").count():
            page.locator(".body-map path").nth(5).click()
            page.locator(".body-map path").nth(7).click()
            shot("body")
        page.click("button[value=next]")
        if at(page) == "advice":
            shot("advice")
            page.check("#read")
            page.click(".button")
    shot("review")
    page.click("button[value=send]")
    shot("sent")
    page.reload()
    page.goto(f"{address}/intake/{secret}")
    shot("nothing")
    page.goto(f"{address}/kiosk")
    shot("kiosk")
