"""NLM's LHC-Forms in a real Chromium: a Questionnaire drawn, filled in by hand, exported."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import Page, sync_playwright
from support.interop.fhir_validators import CHROMIUM, LFORMS

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
        """Say nothing."""


@contextmanager
def renderer(folder: Path = LFORMS) -> Iterator[Page]:
    """A page with LHC-Forms in it, served on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 1000})
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.wait_for_function("window.LForms && LForms.Util && LForms.FHIR")
            yield page
            browser.close()
        server.shutdown()


def filled(page: Page, questionnaire: dict, values: dict[str, list[dict]]) -> dict:
    """The response that the form exports once these values are marked and typed in."""
    page.evaluate(_DRAW, questionnaire)
    page.locator(_id(f"item-{next(iter(values))}/1/1")).wait_for()
    for link, answers in values.items():
        for answer in answers:
            _give(page, f"{link}/1/1", answer)
    exported: dict = page.evaluate(_EXPORT)
    return exported


def problems(page: Page) -> list[str] | None:
    """What the form itself finds wrong with how it is filled in."""
    found: list[str] | None = page.evaluate("() => LForms.Util.checkValidity()")
    return found


def _give(page: Page, place: str, answer: dict) -> None:
    match answer:
        case {"valueBoolean": truth}:
            page.locator(_id(f"{place}|{str(truth).lower()}")).click()
        case {"valueCoding": coding}:
            page.locator(_id(f"{place}|{coding['system']}|{coding['code']}")).click()
        case {"valueInteger": number} | {"valueDecimal": number}:
            page.locator(_id(place)).fill(str(number))
            page.locator(_id(place)).blur()


def _id(name: str) -> str:
    return f'[id="{name}"]'
