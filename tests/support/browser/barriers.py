"""What keeps people out of a page, as axe-core finds it."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

VIOLATIONS = {"resultTypes": ["violations"]}
"""What was found in order is not listed: on a long page that takes longer than all rules."""
WCAG = VIOLATIONS | {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
}
CONTRAST = VIOLATIONS | {"runOnly": {"type": "rule", "values": ["color-contrast"]}}


def find_barriers(page: Page) -> list[tuple[str, list[str]]]:
    """Return the violated rules with the elements: all rules in light, contrast also in dark."""
    violations = []
    page.evaluate(AXE_SCRIPT)
    for scheme, options in (("light", WCAG), ("dark", CONTRAST)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        violations += page.evaluate("(options) => axe.run(options)", options)["violations"]
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in violations
    ]
