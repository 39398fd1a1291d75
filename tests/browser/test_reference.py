"""The reference at `/docs`: everything on it comes from the service, under its strict policy."""

import pytest
from playwright.sync_api import expect


@pytest.fixture
def size():
    return "desktop"


def test_the_reference_shows_the_operations_and_can_send_them(page, base_url):
    foreign, refusals = [], []
    page.on("request", lambda call: call.url.startswith(base_url) or foreign.append(call.url))
    page.on("console", lambda line: "Content Security" in line.text and refusals.append(line.text))
    page.goto(f"{base_url}/docs")
    tags = [tag["name"] for tag in page.request.get(f"{base_url}/openapi.json").json()["tags"]]
    assert "health" in tags
    expect(page.locator(".opblock-tag")).to_have_count(len(tags))
    page.locator('.opblock-tag[data-tag="health"]').click()
    page.locator("#operations-health-live .opblock-summary-control").click()
    page.locator("#operations-health-live .try-out__btn").click()
    page.locator("#operations-health-live .execute").click()
    row = page.locator("#operations-health-live .live-responses-table tr.response").first
    expect(row).to_contain_text("200")
    assert [url for url in foreign if not url.startswith("data:")] == []
    assert refusals == []
