"""The desk's pages of due patients, failed messages and links that are sent."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from support.browser.form_patients import create_link
from support.browser.practitioners import (
    add_practitioner_login,
    open_browser,
    open_signed_in_browser,
    submit_form,
)
from support.builders import do
from support.callers import audited, replace_service

from api.desk.calendar_file import CalendarDay, write_calendar
from api.http.rate_limit import RateLimiter
from api.store.forms import form_settings, links, open_links
from api.store.notifications import occasions, outbox
from api.store.notifications.outbox import SendResult
from schemas.notification import Recipient
from schemas.organisations.form_settings import FormSettings
from schemas.patients.patient import KnownPatient

ADDRESS = "patient@example.org"
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
LINK_FIELDS = {"reference": "MRN-0042", "rulebook": "phq4", "days": "14"}
DUE_SOON = 14
"""Days after which a patient of these tests is due."""


@pytest.fixture
def store(kept_service, monkeypatch):
    """The shared store, for a service that sends e-mail but no SMS."""
    settings = kept_service.services.settings.model_copy(update={"smtp_host": "127.0.0.1"})
    replace_service(kept_service, monkeypatch, rate_limiter=RateLimiter(), settings=settings)
    return kept_service.services.store


@pytest.fixture
def desk(kept_service, store, kept_clinic):
    return open_signed_in_browser(kept_service, add_practitioner_login(store, kept_clinic))


@pytest.fixture
def stranger(kept_service, store, other_clinic):
    return open_signed_in_browser(kept_service, add_practitioner_login(store, other_clinic))


def invite(store, clinic):
    """Create a link for Zoe Canary, invite her by e-mail, and return the link."""

    def invite_in(work):
        patient = KnownPatient(reference="MRN-0042", name="Zoe Canary")
        link, _ = links.add_link(work, links.LinkRequest(patient, "phq4@1.0.0", DUE_SOON))
        recipient = Recipient(medium="email", address=ADDRESS)
        occasions.invite_patient(work, link, recipient, "https://n.example/intake/x", 0)
        return link

    return do(store, clinic, invite_in).id


def list_addresses(store, clinic, link) -> list[str]:
    recipient = do(store, clinic, occasions.find_recipient, link)
    return [] if recipient is None else [recipient.address]


class TestANewLink:
    def find_link(self, store, clinic):
        (link,) = do(store, clinic, links.list_links, 10).links
        return link.id

    def test_is_sent_on_request(self, store, kept_clinic, desk):
        fields = LINK_FIELDS | {"send_to": ADDRESS}
        page = submit_form(desk, "/desk/links/new", "/desk/links/new", **fields)
        assert ADDRESS in page.text
        link = self.find_link(store, kept_clinic)
        assert list_addresses(store, kept_clinic, link) == [ADDRESS]

    def test_is_shown_alone_without_an_address(self, store, kept_clinic, desk):
        page = submit_form(desk, "/desk/links/new", "/desk/links/new", **LINK_FIELDS)
        assert page.status_code == 200
        link = self.find_link(store, kept_clinic)
        assert list_addresses(store, kept_clinic, link) == []

    @pytest.mark.parametrize("address", ["+44 7700 900123", "a@b@c", "a@b.example\nBcc: c@d"])
    def test_is_not_created_for_an_address_that_cannot_be_used(
        self, store, kept_clinic, desk, address
    ):
        fields = LINK_FIELDS | {"send_to": address}
        page = submit_form(desk, "/desk/links/new", "/desk/links/new", **fields)
        assert page.status_code == 422
        assert 'id="send_to-wrong"' in page.text
        assert do(store, kept_clinic, links.list_links, 10).links == ()


class TestAFailedMessage:
    @pytest.fixture
    def message(self, store, kept_clinic):
        """The id of an invitation that bounced."""
        link = invite(store, kept_clinic)

        def bounce(work):
            row = occasions.find_invitation(work, link)
            outbox.record_result(work, row.id, SendResult("bounced", "550"), work.now)
            return row.id

        return do(store, kept_clinic, bounce)

    @pytest.mark.usefixtures("message")
    def test_is_shown_with_what_to_whom_and_why(self, desk):
        text = re.sub(r"<[^>]*>", " ", desk.get("/desk").text)
        for part in ("Link for", ADDRESS, "The mail server refused the address (550)"):
            assert part in text
        assert "intake/x" not in text

    @pytest.mark.parametrize("act", ["retry", "dismiss"])
    def test_is_dealt_with_by_its_own_organisation_alone(
        self, kept_service, kept_clinic, desk, stranger, message, act
    ):
        path = f"/desk/messages/{message}/{act}"
        assert submit_form(stranger, "/desk/account", path).status_code == 404
        assert ADDRESS not in stranger.get("/desk").text
        assert submit_form(desk, "/desk", path).headers["location"] == "/desk"
        assert ADDRESS not in desk.get("/desk").text
        assert submit_form(desk, "/desk/account", path).status_code == 409
        assert ("notification", message) in [
            (row.kind, row.target) for row in audited(kept_service, kept_clinic)
        ]

    def test_holds_no_link_once_it_is_dismissed(self, store, kept_clinic, desk, message):
        submit_form(desk, "/desk", f"/desk/messages/{message}/dismiss")

        def read_url(work):
            row = work.load_row(outbox.NotificationRow, message)
            return row.state, outbox.decrypt_content(work, row).url

        assert do(store, kept_clinic, read_url) == ("cancelled", None)


class TestTheDueList:
    @pytest.fixture
    def link(self, store, kept_clinic):
        """A link that was answered, whose patient is due soon."""
        link = invite(store, kept_clinic)
        do(store, kept_clinic, open_links.mark_submitted, link)
        return link

    def test_names_who_is_due(self, desk, link):
        page = desk.get("/desk/due")
        assert "MRN-0042" in page.text
        assert f"/desk/due/{link}/links" in page.text

    def test_tells_overdue_from_due_soon(self, kept_service, store, kept_clinic):
        with time_machine.travel(NOW, tick=False) as clock:
            link, _ = create_link(store, kept_clinic, "phq4")
            do(store, kept_clinic, open_links.mark_submitted, link)
            pages = {}
            for day in (61, 62, 89, 90):  # due after 90, listed 28 days before
                clock.move_to(NOW + timedelta(days=day))
                login = add_practitioner_login(store, kept_clinic)
                text = open_signed_in_browser(kept_service, login).get("/desk/due").text
                pages[day] = ("MRN-0042" in text, "<b>now</b>" in text)
        assert pages == {
            61: (False, False), 62: (True, False), 89: (True, False), 90: (True, True),
        }  # fmt: skip

    def test_makes_the_next_link_in_one_click_and_sends_it_where_the_last_one_went(
        self, store, kept_clinic, desk, link
    ):
        page = submit_form(desk, "/desk/due", f"/desk/due/{link}/links")
        assert ADDRESS in page.text
        newest = do(store, kept_clinic, links.list_links, 1).links[0]
        assert (newest.patient.reference, newest.rulebook) == ("MRN-0042", "phq4@1.0.0")
        assert list_addresses(store, kept_clinic, newest.id) == [ADDRESS]
        assert "MRN-0042" not in desk.get("/desk/due").text

    def test_takes_a_patient_off_on_request(self, desk, link):
        assert submit_form(desk, "/desk/due", f"/desk/due/{link}/dismiss").status_code == 303
        assert "MRN-0042" not in desk.get("/desk/due").text

    @pytest.mark.parametrize("act", ["links", "dismiss"])
    def test_is_of_ones_own_organisation_alone(self, store, kept_clinic, stranger, link, act):
        path = f"/desk/due/{link}/{act}"
        assert submit_form(stranger, "/desk/account", path).status_code == 404
        assert "MRN-0042" not in stranger.get("/desk/due").text
        assert len(do(store, kept_clinic, links.list_links, 10).links) == 1

    def test_makes_no_link_of_one_that_was_not_answered(self, store, kept_clinic, desk):
        link = invite(store, kept_clinic)
        assert submit_form(desk, "/desk/account", f"/desk/due/{link}/links").status_code == 409


@pytest.mark.parametrize("path", ["/desk/due", "/desk/due/calendar.ics"])
def test_who_is_due_is_shown_only_to_those_who_may_make_links(
    kept_service, store, kept_clinic, path
):
    page = open_browser(kept_service).get(path)
    assert page.headers["location"] == "/sign-in"
    reader = add_practitioner_login(store, kept_clinic, ("screenings:read",))
    assert open_signed_in_browser(kept_service, reader).get(path).status_code == 403


class TestTheCalendarFile:
    @pytest.mark.parametrize("shows_initial", [False, True])
    def test_names_the_days_and_no_patient(self, store, kept_clinic, desk, shows_initial):
        changed = FormSettings(initial_in_mail=shows_initial)
        do(store, kept_clinic, form_settings.update_form_settings, changed)
        link = invite(store, kept_clinic)
        do(store, kept_clinic, open_links.mark_submitted, link)
        due_on = do(store, kept_clinic, links.find_link, link).ask_again_on
        response = desk.get("/desk/due/calendar.ics")
        assert response.headers["content-type"] == "text/calendar; charset=utf-8"
        lines = response.text.split("\r\n")
        assert f"DTSTART;VALUE=DATE:{due_on:%Y%m%d}" in lines
        assert (lines.count("BEGIN:VEVENT"), "Canary" in response.text) == (1, False)
        assert "MRN-0042" not in response.text
        summary = "SUMMARY:Screen a patient again" + (" (Z.)" if shows_initial else "")
        assert summary in lines

    def test_folds_and_escapes_as_rfc_5545_says(self):
        summary = "ä, b; c\\d " + "é" * 80
        day = CalendarDay("id", date(2027, 2, 28), summary, "https://n.example/desk/due")
        content = write_calendar([day], NOW)
        lines = content.split(b"\r\n")
        assert max(map(len, lines)) <= 75
        assert lines[-1] == b""
        unfolded = content.replace(b"\r\n ", b"").decode().split("\r\n")
        assert "SUMMARY:ä\\, b\\; c\\\\d " + "é" * 80 in unfolded
        assert "DTEND;VALUE=DATE:20270301" in unfolded
        assert "DTSTAMP:20261130T090000Z" in unfolded
