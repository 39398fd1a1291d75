"""Every page of a patient: no barrier, no broken policy, and nothing told of how it is weighed."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from support.browser.form_patients import answer_page, at, begin, link_of
from support.builders import do

from api.forms.form_model import FormOptions, build_form
from api.store.forms import form_settings
from api.web.page_texts import load_page_texts
from schemas.form_settings import FormSettings
from scoring.catalogue import load_catalogue
from scoring.translations import translate_rulebook

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
TELLING = ("id", "label", "meaning", "suspect", "action", "rationale", "note", "evidence")
MARKUP = "head light true false none unknown skipped yes no text"
LANGUAGES = ("en", "de", "es")
FLAGGED = {"q52": "o1", "q53": "o5", "q55": "o5", "q56": "o7", "q57": "o2"}


def pages(page, address, secret) -> Iterator[str]:
    """Every page on the way, once, when it is there; what each is called."""
    for name in way(page, address, secret):
        page.wait_for_load_state()
        yield name


def way(page, address, secret) -> Iterator[str]:
    page.goto(f"{address}/intake/{secret}")
    yield "first"
    page.click(".button")
    yield "first, faulty"
    begin(page, f"{address}/intake/{secret}")
    page.click("button[value=next]")
    yield "faulty"
    while at(page) != "review":
        yield f"step {at(page)}"
        if at(page) == "advice":
            page.click("button[type=submit]")
            yield "advice, unread"
            page.check("#read")
            page.click("button[type=submit]")
            continue
        if page.locator("#adversity").count():
            page.check("#adversity")
        answer_page(page, **FLAGGED)
        page.click("button[value=next]")
    yield "review"
    page.click("button[value=send]")
    yield "sent"
    page.goto(f"{address}/intake/{secret}")
    yield "nothing"
    page.goto(f"{address}/kiosk")
    yield "kiosk"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_barrier(page, address, store, clinic, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    _, secret = link_of(store, clinic)
    found = {}
    for name in pages(page, address, secret):
        violations = Axe().run(page, options=WCAG).response["violations"]
        if violations:
            found[name] = [
                (each["id"], [node["html"][:200] for node in each["nodes"]]) for each in violations
            ]
    assert found == {}


def test_a_barrier_is_found_where_there_is_one(page):
    page.set_content('<p style="color: #999; background: #aaa">dim</p><input>')
    found = {each["id"] for each in Axe().run(page, options=WCAG).response["violations"]}
    assert {"color-contrast", "label", "html-has-lang"} <= found


def test_no_page_is_wider_than_its_screen_nor_breaks_its_own_policy(page, address, store, clinic):
    told = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    _, secret = link_of(store, clinic)
    wide = [
        name
        for name in pages(page, address, secret)
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    ]
    known = re.compile("favicon|status of (404|422)|^Clear-Site-Data")
    assert ([each for each in told if not known.search(each)], wide) == ([], [])


@pytest.mark.parametrize("context", ["phone"], indirect=True)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rulebook", ["nociplastic", "phq4"])
def test_nothing_that_a_patient_is_sent_tells_how_it_is_weighed(
    page, address, store, clinic, language, rulebook
):
    numbers = (do(store, clinic, form_settings.load_form_settings)).emergency_numbers
    do(store, clinic, form_settings.update_form_settings, FormSettings(emergency_numbers=numbers))
    sent = []
    page.on("response", lambda response: sent.append(whole(response)))
    loaded = load_catalogue().find_active(rulebook)
    _, secret = link_of(store, clinic, rulebook, language=language)
    texts = [
        page.evaluate("document.documentElement.outerHTML") for _ in pages(page, address, secret)
    ]
    traffic = "\n".join([*texts, *sent]).replace(secret, "")
    assert len(sent) > len(texts) / 2
    assert [each for each in secrets_of(loaded, language) if told(each, traffic)] == []


def test_the_words_that_are_looked_for_are_found_where_they_are():
    loaded = load_catalogue().find_active("nociplastic")
    words = secrets_of(loaded, "en")
    assert {"nociplastic@1.0.0", "A1", "worse_with_stress", "T0"} <= set(words)
    for each in words:
        assert told(each, f'<p class="x">{each}</p>')


def whole(response) -> str:
    """Address, headers and body of a response: what an observer of the traffic would see."""
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    moved = 300 <= response.status < 400
    kind = response.headers.get("content-type", "")
    body = "" if moved or not kind.startswith("text/html") else response.text()
    return f"{response.url}\n{headers}\n{body}"


def secrets_of(loaded, language: str) -> list[str]:
    """Every id, label and sentence of the rulebook that says how answers are read.

    What the questionnaire itself has to say, in the patient's own words, is none.
    """
    book = translate_rulebook(loaded, language)
    parts = [*book.criterion, *book.domain, *book.total, *book.band, *book.ledger, *book.picture,
             *book.tier, *book.flag, *book.grading, *book.pattern, *book.derived, *book.finding,
             *book.next_step, *book.scope]  # fmt: skip
    words = {loaded.name, loaded.sha256, book.rulebook.title, book.rulebook.points_are}
    for part in parts:
        words |= {getattr(part, name, None) for name in TELLING}
    levels = [level for each in book.criterion for level in each.level]
    words |= {level.finding for level in levels} | {level.id for level in levels}
    words |= {question.id for question in book.question}
    words |= {option.id for question in book.question for option in question.options}
    asked = spoken(build_form(loaded, FormOptions("patient", language, adversity_consent=True)))
    return sorted(each for each in words if each and len(each) > 1 and not told(each, asked))


def spoken(form) -> str:
    """Everything that the form says, and what any page of ours says and is made of."""
    words = [
        *load_page_texts(form.language).words.values(),
        *load_page_texts("en").words.values(),
        MARKUP,
    ]
    for step in form.steps:
        words += [step.heading, step.intro or ""]
        for each in step.asked:
            words += [each.text, each.help or "", each.attribution or "", *(each.ends or ())]
            words += [choice.label for choice in each.choices]
    return "\n".join(words)


def told(word: str, text: str) -> bool:
    """Whether the word stands there as a word of its own; an id only as it is written."""
    is_id = re.fullmatch(r"[A-Z]\d+", word)
    pattern = rf"(?<![\w-]){re.escape(word)}(?![\w-])"
    return re.search(pattern, text, 0 if is_id else re.IGNORECASE) is not None
