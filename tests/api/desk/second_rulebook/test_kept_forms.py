"""What a practitioner submitted is kept when the session has ended, and for them alone."""

import re
from datetime import timedelta
from typing import ClassVar

import pytest
import time_machine
from support.browser.practitioners import (
    add_practitioner_login,
    open_browser,
    open_signed_in_browser,
    read_csrf_token,
    submit_login,
)
from support.callers import audited

from api.store.accounts import kept_forms
from api.store.operations import housekeeping

PAGE = "/desk/new?rulebook=phq4"
NAME = "Jo Canary"


@pytest.fixture
def store(second_service):
    return second_service.services.store


@pytest.fixture
def grace(store, clinic):
    return add_practitioner_login(store, clinic)


def fill_form(browser) -> dict[str, str]:
    """Return the fields of a new screening, filled in."""
    text = browser.get(PAGE).text
    hidden_fields = re.findall(
        r'<input type="hidden" name="(owner|idempotency_key)" value="([^"]+)"', text
    )
    return {"token": read_csrf_token(text), "reference": "MRN-0800", "name": NAME, "q0": "n1",
            **dict(hidden_fields)}  # fmt: skip


def leave(browser) -> None:
    browser.cookies.clear()


class TestAFormSentAfterTheSession:
    def test_is_given_back_after_signing_in_and_saved_once(self, second_service, clinic, grace):
        browser = open_signed_in_browser(second_service, grace)
        fields = fill_form(browser)
        with time_machine.travel(timedelta(minutes=31), tick=False):
            response = browser.post(PAGE, data=fields)
            assert response.headers["location"] == "/sign-in?kept"
            assert "not been saved yet" in browser.get("/sign-in?kept").text
            location = submit_login(browser, grace).headers["location"]
            text = browser.get(location).text
            assert "Here is what you entered" in text
            assert f'value="{NAME}"' in text
            assert re.search(r'id="q0-1" value="n1" checked', text)
            fields["token"] = read_csrf_token(text)
            assert browser.post(PAGE, data=fields).headers["location"].startswith("/desk/screen")
            assert NAME not in location
        acts = [it for it in audited(second_service, clinic) if it.kind == "kept_form"]
        assert [it.action for it in acts] == ["create", "read", "read"]

    def test_is_kept_without_the_cookie_too_and_returned_only_once(self, second_service, grace):
        browser = open_signed_in_browser(second_service, grace)
        fields = fill_form(browser)
        leave(browser)
        assert browser.post(PAGE, data=fields).headers["location"] == "/sign-in?kept"
        with time_machine.travel(timedelta(minutes=1), tick=False):
            assert "kept=" in submit_login(browser, grace).headers["location"]
        with time_machine.travel(timedelta(minutes=2), tick=False):
            assert submit_login(browser, grace).headers["location"] == "/desk"

    def test_is_shown_to_no_other_practitioner(self, second_service, store, clinic, grace):
        browser = open_signed_in_browser(second_service, grace)
        fields = fill_form(browser)
        leave(browser)
        browser.post(PAGE, data=fields)
        colleague = add_practitioner_login(store, clinic)
        assert submit_login(browser, colleague).headers["location"] == "/desk"
        with store.transaction(clinic.actor) as work:
            form = kept_forms.take_form_after_session(work, grace.id)
            work.audit("read")
        assert NAME not in browser.get(f"{PAGE}&kept={form.id}").text
        leave(browser)
        with time_machine.travel(timedelta(minutes=1), tick=False):
            submit_login(browser, grace)
        assert NAME in browser.get(f"{PAGE}&kept={form.id}").text

    def test_of_an_earlier_session_comes_back_at_once(self, second_service, grace):
        browser = open_signed_in_browser(second_service, grace)
        fields = fill_form(browser)
        with time_machine.travel(timedelta(minutes=1), tick=False):
            submit_login(browser, grace)
        response = browser.post(PAGE, data=fields)
        assert "kept=" in response.headers["location"]
        assert NAME in browser.get(response.headers["location"]).text

    @pytest.mark.parametrize("changes", [{"owner": "x"}, {"owner": ""}, {"token": "0" * 64}])
    def test_is_not_kept_without_a_genuine_note_and_token(
        self, second_service, clinic, grace, changes
    ):
        browser = open_signed_in_browser(second_service, grace)
        fields = fill_form(browser) | changes
        response = open_browser(second_service).post(PAGE, data=fields)
        assert response.headers["location"] == "/sign-in"
        assert "kept_form" not in [it.kind for it in audited(second_service, clinic)]

    def test_is_deleted_after_a_day_and_when_its_owner_signs_out(
        self, second_service, store, grace
    ):
        browser = open_signed_in_browser(second_service, grace)
        location = browser.post(PAGE, data=fill_form(browser) | {"reference": ""}).headers[
            "location"
        ]
        assert NAME in browser.get(location).text
        token = read_csrf_token(browser.get("/desk").text)
        browser.post("/sign-out", data={"token": token})
        with time_machine.travel(timedelta(minutes=1), tick=False):
            submit_login(browser, grace)
        assert NAME not in browser.get(location).text
        other = browser.post(PAGE, data=fill_form(browser) | {"reference": ""}).headers["location"]
        with (
            time_machine.travel(timedelta(hours=25), tick=False),
            store.write_all_organisations() as session,
        ):
            kept_forms.delete_old_forms(session)
        assert NAME not in browser.get(other).text


class TestAFormWithFaults:
    FAULTS: ClassVar = (
        (PAGE, {"reference": "", "name": "x" * 201, "q0": "n9"}, ["reference", "name", "q0"]),
        ("/desk/links/new", {"reference": "", "days": "0", "system": "\u0001", "rulebook": "phq4"},
         ["reference", "system", "days"]),
    )  # fmt: skip

    @pytest.mark.parametrize(("page", "fields", "faulty"), FAULTS, ids=lambda it: str(it)[:20])
    def test_leads_to_a_page_that_links_each_faulty_field(
        self, second_service, grace, page, fields, faulty
    ):
        browser = open_signed_in_browser(second_service, grace)
        token = read_csrf_token(browser.get(page).text)
        response = browser.post(page, data=fields | {"token": token})
        assert response.status_code == 303
        for _ in range(2):
            text = browser.get(response.headers["location"]).text
            assert re.findall(r'<li><a href="#(\w+)">', text) == faulty
            assert [name for name in faulty if f'id="{name}"' not in text] == []
            assert "Enter the patient\N{RIGHT SINGLE QUOTATION MARK}s number." in text


def test_housekeeping_deletes_old_forms(store, monkeypatch):
    deleted = []
    monkeypatch.setattr(kept_forms, "delete_old_forms", deleted.append)
    housekeeping.run_housekeeping(store, "ES256", 90)
    assert len(deleted) == 1
