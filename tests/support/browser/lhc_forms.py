"""NLM's LHC-Forms in a real Chromium: draw a Questionnaire, fill it in and export the response."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import Page, sync_playwright
from support.browser.chromium import CHROMIUM, CHROMIUM_OPTIONS
from support.interop.fhir_validators import LFORMS

_PAGE = b"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Form</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="webcomponent/styles.css"></head><body>
<script src="webcomponent/assets/lib/zone.min.js"></script>
<script src="webcomponent/lhc-forms.js"></script>
<script src="fhir/R4/lformsFHIR.min.js"></script><div id="form"></div></body></html>"""
_DRAW = """async (questionnaire) => {
  const form = LForms.Util.convertFHIRQuestionnaireToLForms(questionnaire, 'R4');
  await LForms.Util.addFormToPage(form, 'form');
}"""
_EXPORT = "() => LForms.Util.getFormFHIRData('QuestionnaireResponse', 'R4')"


class _Pages(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(_PAGE)))
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def open_renderer(folder: Path = LFORMS) -> Iterator[Page]:
    """Open a page with LHC-Forms, served on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
            page = browser.new_page(viewport={"width": 1200, "height": 1000})
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.wait_for_function("window.LForms && LForms.Util && LForms.FHIR")
            yield page
            browser.close()
        server.shutdown()


def fill_form(page: Page, questionnaire: dict, values: dict[str, list[dict]]) -> dict:
    """Fill in these values and return the exported response."""
    page.evaluate(_DRAW, questionnaire)
    page.locator(_build_selector(f"item-{next(iter(values))}/1/1")).wait_for()
    for link, answers in values.items():
        for answer in answers:
            _enter_answer(page, f"{link}/1/1", answer)
    exported: dict = page.evaluate(_EXPORT)
    return exported


def find_errors(page: Page) -> list[str] | None:
    """Return the errors that the form itself finds."""
    errors: list[str] | None = page.evaluate("() => LForms.Util.checkValidity()")
    return errors


def _enter_answer(page: Page, place: str, answer: dict) -> None:
    match answer:
        case {"valueBoolean": truth}:
            page.locator(_build_selector(f"{place}|{str(truth).lower()}")).click()
        case {"valueCoding": coding}:
            page.locator(_build_selector(f"{place}|{coding['system']}|{coding['code']}")).click()
        case {"valueInteger": number} | {"valueDecimal": number}:
            page.locator(_build_selector(place)).fill(str(number))
            page.locator(_build_selector(place)).blur()


def _build_selector(name: str) -> str:
    return f'[id="{name}"]'
