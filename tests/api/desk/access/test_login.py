"""Signing in by name, password and second factor, sessions, passwords and invitations."""

import re
from datetime import timedelta

import pyotp
import pytest
import time_machine
from sqlalchemy import select
from support import builders
from support.browser.practitioners import (
    PASSWORD,
    PractitionerLogin,
    add_practitioner_login,
    open_browser,
    open_signed_in_browser,
    read_csrf_token,
    submit_form,
    submit_login,
)
from support.builders import do, run_concurrently
from support.callers import audited, calling, replace_service, statements

from api.auth.admission import FAILED_LOGINS, INVITATION_ATTEMPTS
from api.desk.access import login
from api.http.rate_limit import RateLimiter
from api.main import create_app
from api.security.client_secrets import hash_secret
from api.store.accounts import (
    invitations,
    login_attempts,
    login_credentials,
    organisations,
    practitioners,
)
from api.store.accounts.organisations import OPERATOR_ACTOR
from api.store.database.tables import SessionRow, SignInRow
from schemas.organisations.audit import AuditEntry


@pytest.fixture
def store(kept_service):
    replace_service(kept_service, rate_limiter=RateLimiter())
    return kept_service.services.store


@pytest.fixture
def grace(store, kept_clinic) -> PractitionerLogin:
    return add_practitioner_login(store, kept_clinic)


@pytest.fixture
def browser(kept_service):
    return open_browser(kept_service)


def is_signed_in(client) -> bool:
    return client.get("/desk/account").status_code == 200


def read_last_entry(service, clinic) -> AuditEntry:
    return audited(service, clinic)[-1]


class TestLogin:
    def test_starts_a_session_and_is_audited(self, kept_service, kept_clinic, browser, grace):
        answer = submit_login(browser, grace)
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
        row = read_last_entry(kept_service, kept_clinic)
        assert (row.action, row.means, row.actor) == ("sign_in", "session", grace.id)
        assert is_signed_in(browser)

    def test_accepts_the_name_in_capitals_and_the_code_with_spaces(self, browser, grace):
        code = f" {grace.code[:3]} {grace.code[3:]} "
        answer = submit_login(browser, grace, name=f" {grace.name.upper()} ", code=code)
        assert answer.status_code == 303

    def test_sets_a_session_cookie_that_scripts_and_other_sites_cannot_use(self, browser, grace):
        cookies = submit_login(browser, grace).headers.get_list("set-cookie")
        session_cookie = next(
            cookie for cookie in cookies if cookie.startswith("nociscreen_session=")
        )
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(session_cookie.split("; "))
        assert "Max-Age" not in session_cookie

    def test_starts_a_new_session_each_time_and_ends_the_old_one(
        self, kept_service, browser, grace
    ):
        submit_login(browser, grace)
        before = browser.cookies["nociscreen_session"]
        submit_login(browser, grace, code=grace.codes[0])
        assert browser.cookies["nociscreen_session"] != before
        stale = open_browser(kept_service)
        stale.cookies["nociscreen_session"] = before
        assert not is_signed_in(stale)

    def test_stores_only_a_hash_of_the_session_secret(self, store, browser, grace):
        submit_login(browser, grace)
        secret = browser.cookies["nociscreen_session"]
        with store.read_all_organisations() as session:
            rows = session.execute(select(SessionRow)).scalars().all()
            sign_in_rows = session.execute(select(SignInRow)).scalars().all()
        assert hash_secret(secret) in {row.sha256 for row in rows}
        stored_text = " ".join(str(row.model_dump()) for row in (*rows, *sign_in_rows))
        for confidential in (secret, PASSWORD, grace.totp, grace.name):
            assert confidential not in stored_text


class TestFailedLogin:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"password": "something else entirely"},
            {"code": "000000"},
            {"code": ""},
            {"name": "unknown@example.org"},
            {"name": "", "password": "", "code": ""},
            {"password": "x" * 5000},
            {"name": "\u0000", "code": "\ud7ff"},
        ],
        ids=str,
    )
    def test_shows_the_same_page_for_every_cause(self, kept_service, browser, grace, wrong):
        answer = submit_login(browser, grace, **wrong)
        other_answer = submit_login(open_browser(kept_service), grace, password="x")
        assert answer.status_code == 422
        pages = [
            re.sub(r' name="(?:name|token)"( value="[^"]*")?', "", it.text)
            for it in (answer, other_answer)
        ]
        assert pages[0] == pages[1]
        assert not is_signed_in(browser)

    def test_is_audited_in_the_organisation_of_the_name_without_the_input(
        self, kept_service, kept_clinic, browser, grace
    ):
        submit_login(browser, grace, password="a wrong guess")
        row = read_last_entry(kept_service, kept_clinic)
        assert (row.action, row.outcome, row.target) == ("refuse", "bad_sign_in", grace.id)
        submit_login(browser, grace, code="123456")
        row = read_last_entry(kept_service, kept_clinic)
        assert (row.action, row.outcome, row.target) == ("refuse", "bad_sign_in", grace.id)

    def test_executes_the_same_statements_for_every_cause(self, kept_service, grace):
        """Compare the statements, not the time: they are the same and in the same order."""
        unknown = grace._replace(name=f"not-{grace.name}")
        wrong = ((unknown, {}), (grace, {"password": "x"}), (grace, {"code": "000000"}))
        statement_lists = []
        for account, changes in wrong * 2:
            client = open_browser(kept_service)
            client.get("/sign-in")
            with statements(kept_service) as executed:
                assert submit_login(client, account, **changes).status_code == 422
            statement_lists.append(executed)
        assert statement_lists[3] == statement_lists[4] == statement_lists[5]
        assert any("INSERT INTO audit" in statement for statement in statement_lists[3])

    def test_under_an_unknown_name_is_audited_each_time(self, kept_service, grace):
        system = builders.Clinic(organisations.SYSTEM, "", "")
        before = len(audited(kept_service, system))
        unknown = grace._replace(name=f"not-{grace.name}")
        for _ in range(3):
            submit_login(open_browser(kept_service), unknown)
        rows = audited(kept_service, system)[before:]
        assert [(row.outcome, row.target, row.count) for row in rows] == [
            ("bad_sign_in", "", 1)
        ] * 3

    def test_of_a_deactivated_practitioner_or_organisation_ends_its_sessions_at_once(
        self, kept_service, store, kept_clinic, grace
    ):
        client = open_signed_in_browser(kept_service, grace)
        do(store, kept_clinic, practitioners.update_practitioner, grace.id, {"active": False})
        assert not is_signed_in(client)
        assert (
            submit_login(open_browser(kept_service), grace, code=grace.codes[0]).status_code == 422
        )
        do(store, kept_clinic, practitioners.update_practitioner, grace.id, {"active": True})
        assert submit_login(client, grace, code=grace.codes[1]).status_code == 303
        own = OPERATOR_ACTOR._replace(organisation=kept_clinic.organisation)
        with store.transaction(own) as work:
            organisations.update_organisation(work, {"active": False})
            work.audit("administer")
        assert not is_signed_in(client)

    @pytest.mark.parametrize("target", ["practitioner", "clinic"])
    def test_after_reactivation_earlier_sessions_and_invitations_stay_invalid(
        self, kept_service, store, kept_clinic, grace, target
    ):
        change = (
            practitioners.update_practitioner
            if target == "practitioner"
            else organisations.update_organisation
        )
        of = [grace.id] if target == "practitioner" else []
        client = open_signed_in_browser(kept_service, grace)
        _, secret = do(store, kept_clinic, invitations.add_invitation, grace.id)
        for active in (False, True):
            do(store, kept_clinic, change, *of, {"active": active})
        assert not is_signed_in(client)
        assert open_browser(kept_service).get(f"/invitation/{secret}").status_code == 404
        assert submit_login(client, grace, code=grace.codes[0]).status_code == 303

    def test_does_not_follow_from_other_changes(self, kept_service, store, kept_clinic, grace):
        client, other_practitioner = (
            open_signed_in_browser(kept_service, grace),
            add_practitioner_login(store, kept_clinic),
        )
        changes = {"active": True, "name": "Dr G. Example", "scopes": ["screenings:read"]}
        do(store, kept_clinic, practitioners.update_practitioner, grace.id, changes)
        do(
            store,
            kept_clinic,
            practitioners.update_practitioner,
            other_practitioner.id,
            {"active": False},
        )
        do(
            store,
            kept_clinic,
            organisations.update_organisation,
            {"active": True, "name": "Another"},
        )
        assert is_signed_in(client)


class TestSecondFactor:
    def test_is_valid_once(self, kept_service, grace):
        code = grace.code
        assert submit_login(open_browser(kept_service), grace, code=code).status_code == 303
        assert submit_login(open_browser(kept_service), grace, code=code).status_code == 422

    def test_of_a_minute_ago_is_invalid(self, kept_service, grace):
        with time_machine.travel(0, tick=False) as clock:
            clock.move_to("2026-11-25T12:00:00Z")
            old = pyotp.TOTP(grace.totp).now()
            clock.shift(timedelta(seconds=61))
            assert submit_login(open_browser(kept_service), grace, code=old).status_code == 422

    def test_recovery_codes_differ_and_each_is_valid_once(self, kept_service, grace):
        assert len(set(grace.codes)) == 10
        for code in grace.codes[:2]:
            assert submit_login(open_browser(kept_service), grace, code=code).status_code == 303
            assert submit_login(open_browser(kept_service), grace, code=code).status_code == 422

    def test_submitted_by_many_at_once_is_valid_for_one(self, kept_service, grace):
        code = grace.codes[0]
        browsers = [open_browser(kept_service, f"192.0.2.{n}") for n in range(6)]
        answers = run_concurrently(
            6, lambda n: submit_login(browsers[n], grace, code=code).status_code
        )
        assert sorted(answers) == [303, 422, 422, 422, 422, 422]


class TestLockout:
    def fail(self, client, practitioner, times=login.FREE_ATTEMPTS):
        return [
            submit_login(client, practitioner, password="wrong").status_code for _ in range(times)
        ]

    def test_delays_even_the_right_password(self, browser, grace):
        assert self.fail(browser, grace) == [422] * login.FREE_ATTEMPTS
        answer = submit_login(browser, grace)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) <= login_attempts.FIRST_WAIT_SECONDS
        assert PASSWORD not in answer.text

    def test_is_the_same_for_an_unknown_name(self, browser, grace):
        unknown = grace._replace(name=f"not-{grace.name}")
        assert [*self.fail(browser, unknown), *self.fail(browser, unknown, 1)] == [422] * 5 + [429]

    def test_does_not_affect_the_name_from_another_network(self, kept_service, browser, grace):
        self.fail(browser, grace, login.FREE_ATTEMPTS + 1)
        assert submit_login(open_browser(kept_service, "198.51.100.7"), grace).status_code == 303

    def test_by_many_strangers_does_not_affect_a_known_device(self, kept_service, grace):
        own = open_signed_in_browser(kept_service, grace)
        statuses = [
            submit_login(
                open_browser(kept_service, f"203.0.113.{n}"), grace, password="x"
            ).status_code
            for n in range(login.FREE_ATTEMPTS_ANYWHERE)
        ]
        assert set(statuses) == {422}
        stranger = open_browser(kept_service, "198.51.100.8")
        assert submit_login(stranger, grace, code=grace.codes[0]).status_code == 429
        assert submit_login(own, grace, code=grace.codes[0]).status_code == 303

    def test_of_an_address_counts_failures_alone_and_spares_a_known_device(
        self, kept_service, grace, monkeypatch
    ):
        own = open_signed_in_browser(kept_service, grace)
        replace_service(kept_service, monkeypatch, rate_limiter=RateLimiter(lambda: 0.0))
        address = "2001:db8:7::{:x}".format
        for n in range(FAILED_LOGINS.per_minute):
            guesser = open_browser(kept_service, address(n))
            unknown = grace._replace(name=f"guess-{n}-{grace.name}")
            assert submit_login(guesser, unknown, password="x").status_code == 422
        assert submit_login(open_browser(kept_service, address(99)), grace).status_code == 429
        assert submit_login(own, grace, code=grace.codes[0]).status_code == 303
        elsewhere = open_browser(kept_service, "2001:db8:8::1")
        assert submit_login(elsewhere, grace, code=grace.codes[1]).status_code == 303

    def test_of_an_address_does_not_count_right_logins(self, kept_service, grace, monkeypatch):
        replace_service(kept_service, monkeypatch, rate_limiter=RateLimiter(lambda: 0.0))
        monkeypatch.setattr(login, "FAILED_LOGINS", FAILED_LOGINS._replace(per_minute=1))
        for code in grace.codes[:3]:
            browser = open_browser(kept_service)
            assert submit_login(browser, grace, code=code).status_code == 303

    def test_of_a_name_is_not_lifted_by_the_device_cookie_of_another_name(
        self, kept_service, store, kept_clinic, grace
    ):
        other_practitioner = add_practitioner_login(store, kept_clinic)
        other_browser = open_signed_in_browser(kept_service, other_practitioner)
        self.fail(open_browser(kept_service), grace)
        assert submit_login(other_browser, grace).status_code == 429

    def test_expires_and_is_cleared_by_a_login(self, kept_service, grace):
        with time_machine.travel("2026-11-25T12:00:00Z", tick=False) as clock:
            self.fail(open_browser(kept_service), grace)
            clock.shift(timedelta(seconds=login_attempts.FIRST_WAIT_SECONDS - 1))
            assert submit_login(open_browser(kept_service), grace).status_code == 429
            clock.shift(timedelta(seconds=2))
            assert submit_login(open_browser(kept_service), grace).status_code == 303
            assert self.fail(open_browser(kept_service), grace) == [422] * login.FREE_ATTEMPTS

    def test_grows_to_a_quarter_of_an_hour(self):
        waits = [login_attempts.compute_wait_seconds(count, 5) for count in range(1, 14)]
        assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900, 900]
        assert login_attempts.compute_wait_seconds(10**9, 5) == login_attempts.MAX_WAIT_SECONDS

    def test_counts_simultaneous_attempts(self, kept_service, grace):
        browsers = [open_browser(kept_service) for _ in range(12)]
        answers = run_concurrently(
            12, lambda n: submit_login(browsers[n], grace, password="wrong").status_code
        )
        assert answers.count(422) == login.FREE_ATTEMPTS


class TestSession:
    def test_ends_when_idle(self, kept_service, grace):
        with time_machine.travel("2026-11-25T12:00:00Z", tick=False) as clock:
            client = open_signed_in_browser(kept_service, grace)
            for _ in range(3):
                clock.shift(timedelta(minutes=29))
                assert is_signed_in(client)
            clock.shift(timedelta(minutes=31))
            assert client.get("/desk").headers["location"] == "/sign-in?ended"

    def test_ends_after_its_total_lifetime_even_if_used(self, kept_service, grace):
        with time_machine.travel("2026-11-25T00:00:00Z", tick=False) as clock:
            client = open_signed_in_browser(kept_service, grace)
            for _ in range(35):
                clock.shift(timedelta(minutes=20))
                assert is_signed_in(client)
            clock.shift(timedelta(minutes=20))
            assert not is_signed_in(client)

    def test_ends_by_signing_out_and_clears_the_browser(self, kept_service, kept_clinic, grace):
        client, elsewhere = open_signed_in_browser(kept_service, grace), open_browser(kept_service)
        submit_login(elsewhere, grace, code=grace.codes[0])
        secret = client.cookies["nociscreen_session"]
        answer = submit_form(client, "/desk/account", "/sign-out")
        assert answer.headers["location"] == "/sign-in?signed-out"
        assert "storage" in answer.headers["clear-site-data"]
        assert read_last_entry(kept_service, kept_clinic).action == "sign_out"
        client.cookies["nociscreen_session"] = secret
        assert not is_signed_in(client)
        assert is_signed_in(elsewhere)

    def test_with_an_invented_secret_is_invalid(self, browser):
        browser.cookies["nociscreen_session"] = "x" * 43
        assert browser.get("/desk").headers["location"] == "/sign-in?ended"


def end_sessions(client, **fields):
    """End sessions on the account page."""
    form = {"session": "others", "current_password": PASSWORD} | fields
    return submit_form(client, "/desk/account", "/desk/account/sessions", **form)


def list_other_sessions(client) -> list[str]:
    """Return the ids of the other sessions on the account page, the newest login first."""
    page = client.get("/desk/account").text
    return re.findall(r'name="session" value="([0-9a-f-]{36})"', page)


class TestSessions:
    @pytest.fixture
    def browsers(self, kept_service, grace):
        """Three browsers in which the practitioner is signed in, one after the other."""
        with time_machine.travel("2026-11-25T12:00:00Z", tick=False) as clock:
            browsers = [open_signed_in_browser(kept_service, grace)]
            for code in grace.codes[:2]:
                clock.shift(timedelta(minutes=5))
                browsers.append(open_browser(kept_service))
                submit_login(browsers[-1], grace, code=code)
            yield browsers

    def test_are_listed_with_their_times_and_without_idle_ones(self, kept_service, grace):
        with time_machine.travel("2026-11-25T12:00:00Z", tick=False) as clock:
            idle = open_signed_in_browser(kept_service, grace)
            clock.shift(timedelta(minutes=20))
            other = open_browser(kept_service)
            submit_login(other, grace, code=grace.codes[0])
            clock.shift(timedelta(minutes=15))
            client = open_browser(kept_service)
            submit_login(client, grace, code=grace.codes[1])
            page = client.get("/desk/account").text
            assert len(list_other_sessions(client)) == 1
            assert "Signed in 25 November 2026, 12:20" in page
            assert "Signed in 25 November 2026, 12:35" in page
            assert "12:00" not in page
            assert not is_signed_in(idle)

    def test_of_others_are_not_listed(self, kept_service, store, kept_clinic, grace):
        open_signed_in_browser(kept_service, add_practitioner_login(store, kept_clinic))
        client = open_signed_in_browser(kept_service, grace)
        assert "not signed in anywhere else" in client.get("/desk/account").text
        assert list_other_sessions(client) == []

    def test_end_one_by_one(self, browsers):
        client = browsers[0]
        newest, _ = list_other_sessions(client)
        answer = end_sessions(client, session=newest)
        assert answer.headers["location"] == "/desk/account?ended"
        assert [is_signed_in(it) for it in browsers] == [True, True, False]
        assert "were signed out there" in client.get(answer.headers["location"]).text

    @pytest.mark.parametrize("session", ["ended", "invented", "others"])
    def test_that_are_ended_already_are_not_said_to_end_now(
        self, kept_service, kept_clinic, browsers, session
    ):
        client = browsers[0]
        other_session = list_other_sessions(client)[0]
        page = client.get("/desk/account").text
        end_sessions(client)
        selection = other_session if session == "ended" else session
        fields = {"session": selection, "current_password": PASSWORD}
        token = read_csrf_token(page)
        answer = client.post("/desk/account/sessions", data=fields | {"token": token})
        assert answer.headers["location"] == "/desk/account?already-ended"
        assert "no longer signed in there" in client.get(answer.headers["location"]).text
        entries = [row for row in audited(kept_service, kept_clinic) if row.action == "sign_out"]
        assert [entry.outcome for entry in entries] == ["ok", "not_found"]

    def test_end_all_at_once_but_this_one(self, kept_service, kept_clinic, browsers, grace):
        end_sessions(browsers[0])
        entry = read_last_entry(kept_service, kept_clinic)
        assert (entry.action, entry.target, entry.count) == ("sign_out", grace.id, 2)
        assert [is_signed_in(it) for it in browsers] == [True, False, False]

    @pytest.mark.parametrize("password", ["", "not the password"])
    def test_end_by_the_password_alone(self, browsers, password):
        answer = end_sessions(browsers[0], current_password=password)
        assert answer.status_code == 422
        assert 'id="current_password-sessions-wrong"' in answer.text
        assert 'href="#current_password-sessions"' in answer.text
        assert [is_signed_in(it) for it in browsers] == [True, True, True]

    def test_of_a_colleague_are_not_ended(self, kept_service, store, kept_clinic, browsers):
        colleague = add_practitioner_login(store, kept_clinic)
        client = open_signed_in_browser(kept_service, colleague)
        for session in (*list_other_sessions(browsers[0]), "others"):
            assert end_sessions(client, session=session).status_code == 303
        assert [is_signed_in(it) for it in browsers] == [True, True, True]

    def test_of_another_organisation_are_not_ended(self, kept_service, store, browsers):
        stranger = add_practitioner_login(store, builders.clinic(store))
        client = open_signed_in_browser(kept_service, stranger)
        for session in list_other_sessions(browsers[0]):
            assert end_sessions(client, session=session).status_code == 303
        assert [is_signed_in(it) for it in browsers] == [True, True, True]


NEW = {"current_password": PASSWORD, "password": "ferry without any engine", "password_repeat": ""}


def change_password(client, code, **fields):
    """Change the password on the account page."""
    form = (
        NEW | {"code": code} | {"password_repeat": fields.get("password", NEW["password"])} | fields
    )
    return submit_form(client, "/desk/account", "/desk/account/password", **form)


class TestPassword:
    def test_change_requires_the_current_one_and_ends_all_other_sessions(
        self, kept_service, kept_clinic, grace
    ):
        client, elsewhere = open_signed_in_browser(kept_service, grace), open_browser(kept_service)
        submit_login(elsewhere, grace, code=grace.codes[0])
        answer = change_password(client, grace.codes[2])
        assert answer.headers["location"] == "/desk/account?changed"
        assert "was changed" in client.get(answer.headers["location"]).text
        assert is_signed_in(client)
        assert not is_signed_in(elsewhere)
        rows = [row for row in audited(kept_service, kept_clinic) if row.target == grace.id]
        assert ("administer", "ok", "sign_in") in {
            (row.action, row.outcome, row.kind) for row in rows
        }
        again = open_browser(kept_service)
        assert submit_login(again, grace, code=grace.codes[1]).status_code == 422
        fields = {"password": NEW["password"], "code": grace.codes[1]}
        assert submit_login(again, grace, **fields).status_code == 303

    def test_the_right_one_renews_the_cookie_of_the_session(self, kept_service, grace):
        client, copied = open_signed_in_browser(kept_service, grace), open_browser(kept_service)
        copied.cookies.update(client.cookies)
        change_password(client, grace.codes[2], current_password="not the password")
        assert is_signed_in(copied)
        assert change_password(client, grace.codes[2], password="short").status_code == 422
        assert is_signed_in(client)
        assert not is_signed_in(copied)

    @pytest.mark.parametrize(
        ("fields", "fault"),
        [
            ({"current_password": "not the password"}, "current_password"),
            ({"current_password": ""}, "current_password"),
            ({"code": "000000"}, "current_password"),
            ({"code": ""}, "current_password"),
            ({"password": "short"}, "password"),
            ({"password": "Dr Grace Example"}, "password"),
            ({"password_repeat": "another one altogether"}, "password_repeat"),
        ],
    )
    def test_stays_unchanged_if_a_field_is_wrong(self, kept_service, grace, fields, fault):
        client = open_signed_in_browser(kept_service, grace)
        answer = change_password(client, **({"code": grace.codes[2]} | fields))
        assert answer.status_code == 422
        assert f'id="{fault}-wrong"' in answer.text
        assert "ferry" not in answer.text
        assert (
            submit_login(open_browser(kept_service), grace, code=grace.codes[0]).status_code == 303
        )

    def test_with_faults_leads_to_a_page_for_its_sender_alone(
        self, kept_service, store, kept_clinic, grace
    ):
        client = open_signed_in_browser(kept_service, grace)
        token = read_csrf_token(client.get("/desk/account").text)
        response = client.post(
            "/desk/account/password", data=NEW | {"token": token, "password": "x"}
        )
        assert response.status_code == 303
        for _ in range(2):
            page = client.get(response.headers["location"])
            assert page.status_code == 422
            assert 'id="password-wrong"' in page.text
        other = open_signed_in_browser(kept_service, add_practitioner_login(store, kept_clinic))
        assert other.get(response.headers["location"]).headers["location"] == "/desk"

    def test_cannot_be_guessed_at_an_open_desk(self, kept_service, grace):
        client = open_signed_in_browser(kept_service, grace)
        statuses = [
            change_password(client, grace.codes[2], current_password=f"guess {n} of it").status_code
            for n in range(6)
        ]
        assert statuses == [422] * 5 + [429]
        assert change_password(client, grace.codes[2]).status_code == 429

    def test_codes_cannot_be_guessed_at_an_open_desk(self, kept_service, grace):
        client = open_signed_in_browser(kept_service, grace)
        statuses = [change_password(client, f"guess-{n}").status_code for n in range(6)]
        assert statuses == [422] * 5 + [429]

    def test_takes_a_code_only_if_it_is_changed(self, kept_service, grace):
        client, code = open_signed_in_browser(kept_service, grace), grace.codes[2]
        assert change_password(client, code, password="short").status_code == 422
        assert change_password(client, code, current_password="wrong").status_code == 422
        assert change_password(client, code).status_code == 303
        fields = {"current_password": NEW["password"], "password": "another ferry at the pier"}
        assert change_password(client, code, **fields).status_code == 422

    def test_is_not_asked_of_a_practitioner_who_signs_in_at_a_provider(
        self, kept_service, store, kept_clinic, grace
    ):
        client = open_signed_in_browser(kept_service, grace)
        do(
            store,
            kept_clinic,
            login_credentials.set_identity,
            grace.id,
            "https://idp.example",
            grace.id,
        )
        assert "/desk/account/password" not in client.get("/desk/account").text
        assert change_password(client, grace.codes[2]).status_code == 422

    def test_cannot_be_changed_by_another_site(self, kept_service, grace):
        client = open_signed_in_browser(kept_service, grace)
        answer = client.post("/desk/account/password", data=NEW | {"token": "0" * 64})
        assert answer.status_code == 403


class TestAForm:
    def test_of_another_session_changes_nothing(self, kept_service, store, kept_clinic, grace):
        client = open_signed_in_browser(kept_service, grace)
        other_browser = open_signed_in_browser(
            kept_service, add_practitioner_login(store, kept_clinic)
        )
        stolen = read_csrf_token(other_browser.get("/desk/account").text)
        for token in ("", "0" * 64, stolen):
            assert client.post("/sign-out", data={"token": token}).status_code == 403
        assert is_signed_in(client)

    @pytest.mark.parametrize(
        "headers",
        [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
         {"Origin": "https://evil.example"}],
        ids=str,
    )  # fmt: skip
    def test_from_another_site_changes_nothing(self, kept_service, grace, headers):
        client = open_signed_in_browser(kept_service, grace)
        token = read_csrf_token(client.get("/desk/account").text)
        answer = client.post("/sign-out", data={"token": token}, headers=headers)
        assert answer.status_code == 403
        assert is_signed_in(client)

    def test_to_sign_in_is_bound_to_this_browser(self, kept_service, browser, grace):
        foreign_token = read_csrf_token(open_browser(kept_service).get("/sign-in").text)
        fields = {
            "name": grace.name,
            "password": PASSWORD,
            "code": grace.code,
            "token": foreign_token,
        }
        assert browser.post("/sign-in", data=fields).status_code == 403
        browser.get("/sign-in")
        assert browser.post("/sign-in", data=fields).status_code == 403


class TestAnInvitation:
    @pytest.fixture
    def invited(self, store, kept_clinic):
        practitioner = do(
            store,
            kept_clinic,
            practitioners.add_practitioner,
            "new",
            "Dr New",
            practitioners.DEFAULT_PRACTITIONER_SCOPES,
        )
        _, secret = do(store, kept_clinic, invitations.add_invitation, practitioner.id)
        return practitioner.id, f"/invitation/{secret}"

    def accept_invitation(self, client, at, **changes):
        page = client.get(at)
        totp = re.search(r'class="secret">([A-Z2-7]+)<', page.text)[1]
        name = f"{at[-8:]}@example.org"
        fields = {"name": name, "password": PASSWORD, "password_repeat": PASSWORD,
                  "code": pyotp.TOTP(totp).now()} | changes  # fmt: skip
        answer = submit_form(client, at, at, **fields)
        codes = tuple(re.findall(r"<code>([a-z0-9]{5}-[a-z0-9]{5})</code>", answer.text))
        return answer, PractitionerLogin("", name, totp, codes)

    def test_is_accepted_once_and_starts_a_session(self, kept_service, browser, invited):
        answer, practitioner = self.accept_invitation(browser, invited[1])
        assert answer.status_code == 200
        assert len(practitioner.codes) == 10
        assert is_signed_in(browser)
        assert open_browser(kept_service).get(invited[1]).status_code == 404
        again = submit_login(open_browser(kept_service), practitioner, code=practitioner.codes[3])
        assert again.status_code == 303

    @pytest.mark.parametrize(
        ("changes", "faulty"),
        [
            ({"name": "x"}, ["name"]),
            ({"name": "a\u0007bcd"}, ["name"]),
            ({"password": "short", "password_repeat": "short"}, ["password"]),
            ({"password": "password1234", "password_repeat": "password1234"}, ["password"]),
            ({"password": "kept clinic kept", "password_repeat": "kept clinic kept"}, ["password"]),
            ({"password": "ab" * 101, "password_repeat": "ab" * 101}, ["password"]),
            ({"password_repeat": "another"}, ["password_repeat"]),
            ({"code": "000000"}, ["code"]),
        ],
        ids=str,
    )
    def test_shows_faults_and_stays_valid(
        self, kept_clinic, store, browser, invited, changes, faulty
    ):
        own = OPERATOR_ACTOR._replace(organisation=kept_clinic.organisation)
        with store.transaction(own) as work:
            organisations.update_organisation(work, {"name": "Kept Clinic"})
            work.audit("administer")
        answer, _ = self.accept_invitation(browser, invited[1], **changes)
        assert answer.status_code == 422
        assert [field for field in ("name", "password", "password_repeat", "code")
                if f'id="{field}-wrong"' in answer.text] == faulty  # fmt: skip
        assert PASSWORD not in answer.text
        assert not is_signed_in(browser)
        assert self.accept_invitation(browser, invited[1])[0].status_code == 200

    def test_with_faults_leads_to_a_page_that_reload_shows_again_without_secrets(
        self, kept_service, browser, invited
    ):
        token = read_csrf_token(browser.get(invited[1]).text)
        fields = {"name": "grace@example.org", "password": "harbour", "password_repeat": "x"}
        response = browser.post(invited[1], data=fields | {"token": token, "code": "1"})
        assert response.status_code == 303
        for _ in range(2):
            page = browser.get(response.headers["location"])
            assert page.status_code == 422
            assert 'value="grace@example.org"' in page.text
            assert "harbour" not in page.text
        assert browser.get(invited[1]).status_code == 200
        note = response.headers["set-cookie"]
        assert "grace" not in note
        assert "harbour" not in note
        stranger = open_browser(kept_service)
        assert stranger.get(response.headers["location"]).status_code == 200

    def test_does_not_accept_the_name_of_another_practitioner(
        self, kept_service, kept_clinic, browser, invited, grace
    ):
        answer, _ = self.accept_invitation(browser, invited[1], name=grace.name.upper())
        assert answer.status_code == 422
        assert 'id="name-wrong"' in answer.text
        refusals = [row for row in audited(kept_service, kept_clinic) if row.action == "refuse"]
        assert [(row.outcome, row.actor) for row in refusals] == [("conflict", invited[0])]

    def test_limits_the_attempts_to_accept_it(
        self, kept_service, kept_clinic, browser, invited, monkeypatch
    ):
        replace_service(kept_service, monkeypatch, rate_limiter=RateLimiter(lambda: 0.0))
        page = browser.get(invited[1])
        form = {
            "token": read_csrf_token(page.text),
            "name": "",
            "password": "",
            "password_repeat": "",
            "code": "",
        }
        statuses = [browser.post(invited[1], data=form).status_code
                for _ in range(INVITATION_ATTEMPTS.per_minute + 1)]  # fmt: skip
        assert statuses == [303] * INVITATION_ATTEMPTS.per_minute + [429]
        row = read_last_entry(kept_service, kept_clinic)
        assert (row.action, row.outcome) == ("refuse", "too_many")

    def test_requested_again_replaces_the_first(self, kept_service, kept_client, grace):
        path = f"/v1/practitioners/{grace.id}/invitations"
        first, second = (
            kept_client.post(path).json()["url"].removeprefix("http://127.0.0.1:8000")
            for _ in range(2)
        )
        assert open_browser(kept_service).get(first).status_code == 404
        assert open_browser(kept_service).get(second).status_code == 200

    def test_acceptance_ends_the_previous_sessions_and_codes(
        self, store, kept_service, kept_clinic, grace
    ):
        client = open_signed_in_browser(kept_service, grace)
        _, secret = do(store, kept_clinic, invitations.add_invitation, grace.id)
        fresh = open_browser(kept_service)
        password = "quite another harbour"
        answer, _ = self.accept_invitation(
            fresh, f"/invitation/{secret}", password=password, password_repeat=password
        )
        assert answer.status_code == 200
        assert not is_signed_in(client)
        assert (
            submit_login(open_browser(kept_service), grace, code=grace.codes[0]).status_code == 422
        )

    def test_that_is_wrong_replaced_or_expired_gets_the_same_response(
        self, store, kept_service, kept_clinic, invited
    ):
        _, newer = do(store, kept_clinic, invitations.add_invitation, invited[0])
        pages = [
            open_browser(kept_service).get(at) for at in (invited[1], f"/invitation/{'A' * 43}")
        ]
        with time_machine.travel(0, tick=False) as clock:
            clock.move_to("2030-01-01T00:00:00Z")
            pages.append(open_browser(kept_service).get(f"/invitation/{newer}"))
        assert {page.status_code for page in pages} == {404}
        assert len({page.text for page in pages}) == 1

    def test_is_created_by_an_administrator_for_a_practitioner_with_scopes(self, kept_client):
        body = {"reference": "r", "name": "Dr Idle"}
        idle = kept_client.post("/v1/practitioners", json=body).json()["id"]
        here = f"/v1/practitioners/{idle}"
        kept_client.patch(here, json={"scopes": []})
        assert kept_client.post(f"{here}/invitations").status_code == 409
        kept_client.patch(here, json={"scopes": ["screenings:read"]})
        response = kept_client.post(f"{here}/invitations")
        assert response.status_code == 201
        assert response.json()["url"].startswith("http://127.0.0.1:8000/invitation/")

    def test_is_not_created_without_the_scope(self, kept_service, kept_clinic, grace):
        client = calling(kept_service, kept_clinic, ["screenings:read"])
        assert client.post(f"/v1/practitioners/{grace.id}/invitations").status_code == 403


@pytest.mark.parametrize("framed", ["", "https://ehr.example.org"])
def test_over_https_cookies_are_bound_to_the_host_and_partitioned_in_a_frame(
    kept_service, store, framed
):
    changed = {"public_url": "https://pain.example.org", "frame_ancestors": framed}
    settings = kept_service.services.settings.model_copy(update=changed)
    service = create_app(settings, store=store)
    answer = open_browser(service).get("/sign-in")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-nociscreen_login_form=")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert ("SameSite=None; Partitioned" in cookie) is bool(framed)
    assert ("SameSite=Lax" in cookie) is not bool(framed)
    policy = answer.headers["content-security-policy"]
    no_ancestors = "'none'"
    assert f"frame-ancestors {framed or no_ancestors}" in policy
