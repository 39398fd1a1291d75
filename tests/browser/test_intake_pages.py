"""Every page of a patient: accessible, within its security policy, silent about the scoring."""

import re
from collections.abc import Iterator
from functools import lru_cache

import pytest
from support.browser.barriers import find_barriers
from support.browser.form_patients import (
    acknowledge_advice,
    answer_step,
    answer_until,
    begin_intake,
    create_link,
    open_more_questions,
    press,
    read_step,
    submit_step,
)
from support.builders import do
from support.form_controls import build_fields, load_form

from api.forms.form_model import FormOptions, build_form
from api.store.forms import form_settings
from api.web.page_texts import load_page_texts
from schemas.organisations.form_settings import FormSettings
from scoring.catalogue import load_catalogue
from scoring.translations import translate_rulebook

SCORING_FIELDS = ("id", "label", "meaning", "suspect", "action", "rationale", "note", "evidence",
                  "settle")  # fmt: skip
MARKUP = "head light true false none unknown skipped yes no text"
LANGUAGES = ("en", "de", "es")
ONE_SIZE = pytest.mark.parametrize("size", ["phone"])
WIDTHS = (1280, 390)
FLAGGED = build_fields(
    rf_spine_and_nerves="saddle_numbness",
    rf_head_and_face="new_headache_worse_lying_or_straining",
    rf_limbs_and_joints="persistent_joint_swelling",
    rf_general="new_or_changed_symptom",
    rf_personal_safety="unsafe_at_home",
)


def visit_pages(page, base_url, secret) -> Iterator[str]:
    """Open every page of an intake; yield its name once it is loaded."""
    page.goto(f"{base_url}/intake/{secret}")
    yield "start"
    press(page, ".button")
    yield "start, faulty"
    begin_intake(page, f"{base_url}/intake/{secret}")
    submit_step(page)
    yield "faulty"
    while read_step(page) != "review":
        open_more_questions(page)
        yield f"step {read_step(page)}"
        if read_step(page) == "advice":
            page.click("details summary")
            yield "advice, unfolded"
            acknowledge_advice(page)
            continue
        if page.locator("#adversity").count():
            page.check("#adversity")
        answer_step(page, **FLAGGED)
    yield "review"
    submit_step(page, "send")
    yield "sent"
    page.goto(f"{base_url}/intake/{secret}")
    yield "used link"
    page.goto(f"{base_url}/kiosk")
    yield "kiosk"


@ONE_SIZE
def test_no_page_has_a_barrier_is_too_wide_or_violates_its_policy(page, base_url, store, clinic):
    messages = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    _, secret = create_link(store, clinic)
    barriers, wide = {}, []
    for name in visit_pages(page, base_url, secret):
        barriers[name] = find_barriers(page)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 844})
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                wide.append((name, width))
    assert len(barriers) > 10
    assert {name: faults for name, faults in barriers.items() if faults} == {}
    expected = re.compile("favicon|status of 404|^Clear-Site-Data")
    assert ([message for message in messages if not expected.search(message)], wide) == ([], [])


def test_a_barrier_is_detected(page):
    page.set_content('<p style="color: #999; background: #aaa">dim</p><input>')
    rules = {rule for rule, _ in find_barriers(page)}
    assert {"color-contrast", "label", "html-has-lang"} <= rules


def test_a_barrier_in_the_dark_alone_is_detected(page):
    dark = "@media (prefers-color-scheme: dark) {p {color: #999; background: #aaa}}"
    page.set_content(f"<style>{dark}</style><p>dim</p>")
    assert "color-contrast" in [rule for rule, _ in find_barriers(page)]


@ONE_SIZE
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rulebook", ["nociplastic", "phq4"])
def test_no_response_to_a_patient_reveals_the_scoring(
    page, base_url, store, clinic, language, rulebook
):
    numbers = (do(store, clinic, form_settings.load_form_settings)).emergency_numbers
    do(store, clinic, form_settings.update_form_settings, FormSettings(emergency_numbers=numbers))
    responses = []
    page.on("response", lambda response: responses.append(read_response(response)))
    loaded = load_catalogue().find_active(rulebook)
    _, secret = create_link(store, clinic, rulebook, language=language)
    begin_intake(page, f"{base_url}/intake/{secret}")
    submit_step(page)
    answer_until(page, adversity="yes", **FLAGGED)
    submit_step(page, "send")
    for path in (f"intake/{secret}", "kiosk"):
        page.goto(f"{base_url}/{path}")
    traffic = "\n".join(responses).replace(secret, "")
    assert len(responses) > len(load_form(rulebook).steps)
    assert [
        secret_text
        for secret_text in list_secrets(loaded, language)
        if contains_word(secret_text, traffic)
    ] == []


def test_revealing_words_are_detected():
    loaded = load_catalogue().find_active("nociplastic")
    words = list_secrets(loaded, "en")
    assert {loaded.name, "A1", "worse_with_stress", "T0"} <= set(words)
    assert all(contains_word(word, f'<p class="x">{word}</p>') for word in words)


def read_response(response) -> str:
    """Return URL, headers and body of a response, as an observer of the traffic would see them."""
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    is_redirect = 300 <= response.status < 400
    kind = response.headers.get("content-type", "")
    body = "" if is_redirect or not kind.startswith("text/html") else response.text()
    return f"{response.url}\n{headers}\n{body}"


def list_secrets(loaded, language: str) -> list[str]:
    """Return every id, label and sentence of the rulebook that reveals the scoring.

    Words that the questionnaire itself contains are left out.
    """
    book = translate_rulebook(loaded, language)
    parts = [*book.criterion, *book.domain, *book.total, *book.band, *book.ledger, *book.picture,
             *book.tier, *book.flag, *book.grading, *book.pattern, *book.derived, *book.finding,
             *book.next_step, *book.scope, *book.alternative, *book.contradiction, *book.caution,
             *book.no_band_reason]  # fmt: skip
    words = {loaded.name, loaded.sha256, book.rulebook.title, book.rulebook.points_are}
    for part in parts:
        words |= {getattr(part, name, None) for name in SCORING_FIELDS}
    levels = [level for criterion in book.criterion for level in criterion.level]
    words |= {level.finding for level in levels} | {level.id for level in levels}
    words |= {question.id for question in book.question}
    words |= {option.id for question in book.question for option in question.options}
    form_text = collect_form_text(
        build_form(loaded, FormOptions("patient", language, adversity_consent=True))
    )
    return sorted(
        word for word in words if word and len(word) > 1 and not contains_word(word, form_text)
    )


def collect_form_text(form) -> str:
    """Return all texts of the form and of the pages."""
    words = [
        *load_page_texts(form.language).words.values(),
        *load_page_texts("en").words.values(),
        MARKUP,
    ]
    for step in form.steps:
        words += [step.heading, step.intro or ""]
        for question in step.questions:
            words += [
                question.text,
                question.help or "",
                question.attribution or "",
                *(question.end_labels or ()),
            ]
            words += [choice.label for choice in question.choices]
    return "\n".join(words)


def contains_word(word: str, text: str) -> bool:
    """Return whether the text contains the word; an id must match in case."""
    if word.lower() not in lower_text(text):
        return False
    is_id = re.fullmatch(r"[A-Z]\d+", word)
    pattern = rf"(?<![\w-]){re.escape(word)}(?![\w-])"
    return re.search(pattern, text, 0 if is_id else re.IGNORECASE) is not None


@lru_cache(maxsize=8)
def lower_text(text: str) -> str:
    """Return the text in lower case, in which a word is found without a regular expression."""
    return text.lower()
