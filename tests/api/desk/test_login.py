"""Signing in: by a name, a password and a code of the moment, and by nothing less."""

import re
from datetime import timedelta

import pyotp
import pytest
import time_machine
from sqlalchemy import select
from support import builders
from support.browser.practitioners import (
    PASSWORD,
    Person,
    at_desk,
    person,
    send,
    sign_in_by,
    token_in,
    visiting,
)
from support.builders import at_once, do
from support.callers import audited, calling, statements

from api.desk import login
from api.desk.routes.login import INVITATION_ATTEMPTS_PER_MINUTE
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
from schemas.audit import AuditEntry


@pytest.fixture
def store(kept_service):
    kept_service.state.limiter = RateLimiter()
    return kept_service.state.store


@pytest.fixture
def grace(store, kept_clinic) -> Person:
    return person(store, kept_clinic)


@pytest.fixture
def browser(kept_service):
    return visiting(kept_service)


def signed_in(client) -> bool:
    return client.get("/desk/account").status_code == 200


def last(service, clinic) -> AuditEntry:
    return audited(service, clinic)[-1]


class TestWhoProvesToBeSomeone:
    def test_is_let_in_and_audited(self, kept_service, kept_clinic, browser, grace):
        answer = sign_in_by(browser, grace)
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
        row = last(kept_service, kept_clinic)
        assert (row.action, row.means, row.actor) == ("sign_in", "session", grace.id)
        assert signed_in(browser)

    def test_may_write_the_name_in_capitals_and_the_code_with_spaces(self, browser, grace):
        code = f" {grace.code[:3]} {grace.code[3:]} "
        answer = sign_in_by(browser, grace, name=f" {grace.name.upper()} ", code=code)
        assert answer.status_code == 303

    def test_holds_the_session_in_a_cookie_that_no_script_and_no_other_site_gets(
        self, browser, grace
    ):
        cookies = sign_in_by(browser, grace).headers.get_list("set-cookie")
        held = next(each for each in cookies if each.startswith("nociscreen_session="))
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(held.split("; "))
        assert "Max-Age" not in held

    def test_gets_a_new_session_each_time_and_the_old_one_ends(self, kept_service, browser, grace):
        sign_in_by(browser, grace)
        before = browser.cookies["nociscreen_session"]
        sign_in_by(browser, grace, code=grace.codes[0])
        assert browser.cookies["nociscreen_session"] != before
        stale = visiting(kept_service)
        stale.cookies["nociscreen_session"] = before
        assert not signed_in(stale)

    def test_is_known_to_the_database_by_a_hash_alone(self, store, browser, grace):
        sign_in_by(browser, grace)
        secret = browser.cookies["nociscreen_session"]
        with store.read_all_organisations() as session:
            rows = session.execute(select(SessionRow)).scalars().all()
            kept = session.execute(select(SignInRow)).scalars().all()
        assert hash_secret(secret) in {each.sha256 for each in rows}
        told = " ".join(str(each.model_dump()) for each in (*rows, *kept))
        for secret_thing in (secret, PASSWORD, grace.totp, grace.name):
            assert secret_thing not in told


class TestWhoDoesNot:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"password": "something else entirely"},
            {"code": "000000"},
            {"code": ""},
            {"name": "nobody@example.org"},
            {"name": "", "password": "", "code": ""},
            {"password": "x" * 5000},
            {"name": "\u0000", "code": "\ud7ff"},
        ],
        ids=str,
    )
    def test_sees_the_same_page_whatever_was_wrong(self, kept_service, browser, grace, wrong):
        answer = sign_in_by(browser, grace, **wrong)
        other = sign_in_by(visiting(kept_service), grace, password="x")
        assert answer.status_code == 422
        token = token_in(answer.text), token_in(other.text)
        assert answer.text.replace(token[0], "") == other.text.replace(token[1], "")
        assert not signed_in(browser)

    def test_is_recorded_where_the_name_belongs_without_what_was_sent(
        self, kept_service, kept_clinic, browser, grace
    ):
        sign_in_by(browser, grace, password="a guess of somebody")
        row = last(kept_service, kept_clinic)
        assert (row.action, row.outcome, row.target) == ("refuse", "bad_sign_in", grace.id)
        sign_in_by(browser, grace, code="123456")
        row = last(kept_service, kept_clinic)
        assert (row.action, row.outcome, row.target) == ("refuse", "bad_sign_in", grace.id)

    def test_cannot_tell_by_the_work_it_makes_what_was_wrong(self, kept_service, grace):
        """Without a clock: the database is told the same statements in the same order."""
        nobody = grace._replace(name=f"not-{grace.name}")
        wrong = ((nobody, {}), (grace, {"password": "x"}), (grace, {"code": "000000"}))
        told = []
        for who, given in wrong * 2:
            client = visiting(kept_service)
            client.get("/sign-in")
            with statements(kept_service) as each:
                assert sign_in_by(client, who, **given).status_code == 422
            told.append(each)
        assert told[3] == told[4] == told[5]
        assert any("INSERT INTO audit" in each for each in told[3])

    def test_is_recorded_each_time_also_under_a_name_that_nobody_has(self, kept_service, grace):
        system = builders.Clinic(organisations.SYSTEM, "", "")
        before = len(audited(kept_service, system))
        nobody = grace._replace(name=f"not-{grace.name}")
        for _ in range(3):
            sign_in_by(visiting(kept_service), nobody)
        rows = audited(kept_service, system)[before:]
        assert [(each.outcome, each.target, each.count) for each in rows] == [
            ("bad_sign_in", "", 1)
        ] * 3

    def test_is_shut_out_at_once_when_the_practitioner_or_the_clinic_is(
        self, kept_service, store, kept_clinic, grace
    ):
        client = at_desk(kept_service, grace)
        do(store, kept_clinic, practitioners.update_practitioner, grace.id, {"active": False})
        assert not signed_in(client)
        assert sign_in_by(visiting(kept_service), grace, code=grace.codes[0]).status_code == 422
        do(store, kept_clinic, practitioners.update_practitioner, grace.id, {"active": True})
        assert sign_in_by(client, grace, code=grace.codes[1]).status_code == 303
        own = OPERATOR_ACTOR._replace(organisation=kept_clinic.organisation)
        with store.transaction(own) as work:
            organisations.update_organisation(work, {"active": False})
            work.audit("administer")
        assert not signed_in(client)

    @pytest.mark.parametrize("whose", ["practitioner", "clinic"])
    def test_finds_no_session_or_invitation_from_before_when_let_in_again(
        self, kept_service, store, kept_clinic, grace, whose
    ):
        change = (
            practitioners.update_practitioner
            if whose == "practitioner"
            else organisations.update_organisation
        )
        of = [grace.id] if whose == "practitioner" else []
        client = at_desk(kept_service, grace)
        _, secret = do(store, kept_clinic, invitations.add_invitation, grace.id)
        for active in (False, True):
            do(store, kept_clinic, change, *of, {"active": active})
        assert not signed_in(client)
        assert visiting(kept_service).get(f"/invitation/{secret}").status_code == 404
        assert sign_in_by(client, grace, code=grace.codes[0]).status_code == 303

    def test_is_not_who_is_changed_in_another_way(self, kept_service, store, kept_clinic, grace):
        client, other = at_desk(kept_service, grace), person(store, kept_clinic)
        changes = {"active": True, "name": "Dr G. Example", "scopes": ["screenings:read"]}
        do(store, kept_clinic, practitioners.update_practitioner, grace.id, changes)
        do(store, kept_clinic, practitioners.update_practitioner, other.id, {"active": False})
        do(
            store,
            kept_clinic,
            organisations.update_organisation,
            {"active": True, "name": "Another"},
        )
        assert signed_in(client)


class TestACode:
    def test_is_good_once(self, kept_service, grace):
        code = grace.code
        assert sign_in_by(visiting(kept_service), grace, code=code).status_code == 303
        assert sign_in_by(visiting(kept_service), grace, code=code).status_code == 422

    def test_of_a_minute_ago_is_no_good(self, kept_service, grace):
        with time_machine.travel(0, tick=False) as clock:
            clock.move_to("2026-11-25T12:00:00Z")
            old = pyotp.TOTP(grace.totp).now()
            clock.shift(timedelta(seconds=61))
            assert sign_in_by(visiting(kept_service), grace, code=old).status_code == 422

    def test_for_recovery_is_good_once_and_each_is_another(self, kept_service, grace):
        assert len(set(grace.codes)) == 10
        for code in grace.codes[:2]:
            assert sign_in_by(visiting(kept_service), grace, code=code).status_code == 303
            assert sign_in_by(visiting(kept_service), grace, code=code).status_code == 422

    def test_sent_by_many_at_once_lets_one_in(self, kept_service, grace):
        code = grace.codes[0]
        browsers = [visiting(kept_service, f"192.0.2.{n}") for n in range(6)]
        answers = at_once(6, lambda n: sign_in_by(browsers[n], grace, code=code).status_code)
        assert sorted(answers) == [303, 422, 422, 422, 422, 422]


class TestLockOut:
    def fail(self, client, who, times=login.FREE_ATTEMPTS):
        return [sign_in_by(client, who, password="wrong").status_code for _ in range(times)]

    def test_makes_who_failed_wait_even_with_the_right_password(self, browser, grace):
        assert self.fail(browser, grace) == [422] * login.FREE_ATTEMPTS
        answer = sign_in_by(browser, grace)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) <= login_attempts.FIRST_WAIT_SECONDS
        assert PASSWORD not in answer.text

    def test_is_the_same_for_a_name_that_nobody_has(self, browser, grace):
        nobody = grace._replace(name=f"not-{grace.name}")
        assert [*self.fail(browser, nobody), *self.fail(browser, nobody, 1)] == [422] * 5 + [429]

    def test_does_not_reach_the_name_from_elsewhere(self, kept_service, browser, grace):
        self.fail(browser, grace, login.FREE_ATTEMPTS + 1)
        assert sign_in_by(visiting(kept_service, "198.51.100.7"), grace).status_code == 303

    def test_of_many_strangers_does_not_reach_a_device_that_signed_in_before(
        self, kept_service, grace
    ):
        own = at_desk(kept_service, grace)
        statuses = [
            sign_in_by(visiting(kept_service, f"203.0.113.{n}"), grace, password="x").status_code
            for n in range(login.FREE_ATTEMPTS_ANYWHERE)
        ]
        assert set(statuses) == {422}
        stranger = visiting(kept_service, "198.51.100.8")
        assert sign_in_by(stranger, grace, code=grace.codes[0]).status_code == 429
        assert sign_in_by(own, grace, code=grace.codes[0]).status_code == 303

    def test_of_a_name_is_not_undone_by_a_cookie_of_another_name(
        self, kept_service, store, kept_clinic, grace
    ):
        other = person(store, kept_clinic)
        theirs = at_desk(kept_service, other)
        self.fail(visiting(kept_service), grace)
        assert sign_in_by(theirs, grace).status_code == 429

    def test_ends_by_itself_and_is_forgotten_once_one_is_in(self, kept_service, grace):
        with time_machine.travel("2026-11-25T12:00:00Z", tick=False) as clock:
            self.fail(visiting(kept_service), grace)
            clock.shift(timedelta(seconds=login_attempts.FIRST_WAIT_SECONDS - 1))
            assert sign_in_by(visiting(kept_service), grace).status_code == 429
            clock.shift(timedelta(seconds=2))
            assert sign_in_by(visiting(kept_service), grace).status_code == 303
            assert self.fail(visiting(kept_service), grace) == [422] * login.FREE_ATTEMPTS

    def test_grows_to_a_quarter_of_an_hour_and_no_further(self):
        waits = [login_attempts.compute_wait_seconds(count, 5) for count in range(1, 14)]
        assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900, 900]
        assert login_attempts.compute_wait_seconds(10**9, 5) == login_attempts.MAX_WAIT_SECONDS

    def test_counts_tries_that_are_made_at_once(self, kept_service, grace):
        browsers = [visiting(kept_service) for _ in range(12)]
        answers = at_once(
            12, lambda n: sign_in_by(browsers[n], grace, password="wrong").status_code
        )
        assert answers.count(422) == login.FREE_ATTEMPTS


class TestASession:
    def test_ends_when_it_is_idle(self, kept_service, grace):
        with time_machine.travel("2026-11-25T12:00:00Z", tick=False) as clock:
            client = at_desk(kept_service, grace)
            for _ in range(3):
                clock.shift(timedelta(minutes=29))
                assert signed_in(client)
            clock.shift(timedelta(minutes=31))
            assert client.get("/desk").headers["location"] == "/sign-in"

    def test_ends_at_last_however_busy(self, kept_service, grace):
        with time_machine.travel("2026-11-25T00:00:00Z", tick=False) as clock:
            client = at_desk(kept_service, grace)
            for _ in range(35):
                clock.shift(timedelta(minutes=20))
                assert signed_in(client)
            clock.shift(timedelta(minutes=20))
            assert not signed_in(client)

    def test_ends_by_signing_out_and_the_browser_forgets(self, kept_service, kept_clinic, grace):
        client, elsewhere = at_desk(kept_service, grace), visiting(kept_service)
        sign_in_by(elsewhere, grace, code=grace.codes[0])
        secret = client.cookies["nociscreen_session"]
        answer = send(client, "/desk/account", "/sign-out")
        assert answer.headers["location"] == "/sign-in?signed-out"
        assert "storage" in answer.headers["clear-site-data"]
        assert last(kept_service, kept_clinic).action == "sign_out"
        client.cookies["nociscreen_session"] = secret
        assert not signed_in(client)
        assert signed_in(elsewhere)

    def test_ends_everywhere_where_that_is_asked_for(self, kept_service, grace):
        client, elsewhere = at_desk(kept_service, grace), visiting(kept_service)
        sign_in_by(elsewhere, grace, code=grace.codes[0])
        send(client, "/desk/account", "/sign-out", everywhere="yes")
        assert not signed_in(elsewhere)

    def test_that_was_made_up_is_none(self, browser):
        browser.cookies["nociscreen_session"] = "x" * 43
        assert browser.get("/desk").headers["location"] == "/sign-in"


NEW = {"present": PASSWORD, "password": "ferry without any engine", "again": ""}


def change(client, **fields):
    """Choose another password on the page of the account."""
    told = NEW | {"again": fields.get("password", NEW["password"])} | fields
    return send(client, "/desk/account", "/desk/account/password", **told)


class TestThePassword:
    def test_is_changed_by_who_knows_it_and_ends_every_other_session(
        self, kept_service, kept_clinic, grace
    ):
        client, elsewhere = at_desk(kept_service, grace), visiting(kept_service)
        sign_in_by(elsewhere, grace, code=grace.codes[0])
        answer = change(client)
        assert answer.headers["location"] == "/desk/account?changed"
        assert "was changed" in client.get(answer.headers["location"]).text
        assert signed_in(client)
        assert not signed_in(elsewhere)
        rows = [each for each in audited(kept_service, kept_clinic) if each.target == grace.id]
        assert ("administer", "ok", "sign_in") in {
            (each.action, each.outcome, each.kind) for each in rows
        }
        again = visiting(kept_service)
        assert sign_in_by(again, grace, code=grace.codes[1]).status_code == 422
        fields = {"password": NEW["password"], "code": grace.codes[1]}
        assert sign_in_by(again, grace, **fields).status_code == 303

    @pytest.mark.parametrize(
        ("fields", "fault"),
        [
            ({"present": "not the password"}, "present"),
            ({"present": ""}, "present"),
            ({"password": "short"}, "password"),
            ({"password": "Dr Grace Example"}, "password"),
            ({"again": "another one altogether"}, "again"),
        ],
    )
    def test_stays_where_something_is_wrong(self, kept_service, grace, fields, fault):
        client = at_desk(kept_service, grace)
        answer = change(client, **fields)
        assert answer.status_code == 422
        assert f'id="{fault}-wrong"' in answer.text
        assert "ferry" not in answer.text
        assert sign_in_by(visiting(kept_service), grace, code=grace.codes[0]).status_code == 303

    def test_is_not_guessed_at_an_open_desk(self, kept_service, grace):
        client = at_desk(kept_service, grace)
        done = [change(client, present=f"guess {n} of it").status_code for n in range(6)]
        assert done == [422] * 5 + [429]
        assert change(client).status_code == 429

    def test_is_not_asked_of_who_signs_in_otherwise(self, kept_service, store, kept_clinic, grace):
        client = at_desk(kept_service, grace)
        do(store, kept_clinic, login_credentials.delete_credentials, grace.id)
        assert "/desk/account/password" not in client.get("/desk/account").text
        assert change(client).status_code == 422

    def test_is_changed_by_no_other_site(self, kept_service, grace):
        client = at_desk(kept_service, grace)
        answer = client.post("/desk/account/password", data=NEW | {"token": "0" * 64})
        assert answer.status_code == 403


class TestAForm:
    def test_that_is_not_of_this_session_changes_nothing(
        self, kept_service, store, kept_clinic, grace
    ):
        client = at_desk(kept_service, grace)
        other = at_desk(kept_service, person(store, kept_clinic))
        stolen = token_in(other.get("/desk/account").text)
        for token in ("", "0" * 64, stolen):
            assert client.post("/sign-out", data={"token": token}).status_code == 403
        assert signed_in(client)

    @pytest.mark.parametrize(
        "headers",
        [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
         {"Origin": "https://evil.example"}],
        ids=str,
    )  # fmt: skip
    def test_that_another_site_sends_changes_nothing(self, kept_service, grace, headers):
        client = at_desk(kept_service, grace)
        token = token_in(client.get("/desk/account").text)
        answer = client.post("/sign-out", data={"token": token}, headers=headers)
        assert answer.status_code == 403
        assert signed_in(client)

    def test_to_sign_in_must_come_from_the_page_that_this_browser_opened(
        self, kept_service, browser, grace
    ):
        theirs = token_in(visiting(kept_service).get("/sign-in").text)
        fields = {"name": grace.name, "password": PASSWORD, "code": grace.code, "token": theirs}
        assert browser.post("/sign-in", data=fields).status_code == 403
        browser.get("/sign-in")
        assert browser.post("/sign-in", data=fields).status_code == 403


class TestAnInvitation:
    @pytest.fixture
    def invited(self, store, kept_clinic):
        made = do(
            store,
            kept_clinic,
            practitioners.add_practitioner,
            "new",
            "Dr New",
            practitioners.DEFAULT_PRACTITIONER_SCOPES,
        )
        _, secret = do(store, kept_clinic, invitations.add_invitation, made.id)
        return made.id, f"/invitation/{secret}"

    def accept(self, client, at, **given):
        page = client.get(at)
        totp = re.search(r'class="secret">([A-Z2-7]+)<', page.text)[1]
        name = f"{at[-8:]}@example.org"
        fields = {"name": name, "password": PASSWORD, "again": PASSWORD,
                  "code": pyotp.TOTP(totp).now()} | given  # fmt: skip
        answer = client.post(at, data={"token": token_in(page.text)} | fields)
        codes = tuple(re.findall(r"<code>([a-z0-9]{5}-[a-z0-9]{5})</code>", answer.text))
        return answer, Person("", name, totp, codes)

    def test_is_accepted_once_and_signs_in(self, kept_service, browser, invited):
        answer, who = self.accept(browser, invited[1])
        assert answer.status_code == 200
        assert len(who.codes) == 10
        assert signed_in(browser)
        assert visiting(kept_service).get(invited[1]).status_code == 404
        again = sign_in_by(visiting(kept_service), who, code=who.codes[3])
        assert again.status_code == 303

    @pytest.mark.parametrize(
        ("given", "faulty"),
        [
            ({"name": "x"}, ["name"]),
            ({"name": "a\u0007bcd"}, ["name"]),
            ({"password": "short", "again": "short"}, ["password"]),
            ({"password": "password1234", "again": "password1234"}, ["password"]),
            ({"password": "kept clinic kept", "again": "kept clinic kept"}, ["password"]),
            ({"password": "ab" * 101, "again": "ab" * 101}, ["password"]),
            ({"again": "another"}, ["again"]),
            ({"code": "000000"}, ["code"]),
        ],
        ids=str,
    )
    def test_says_what_is_to_be_put_right_and_stays_good(
        self, kept_clinic, store, browser, invited, given, faulty
    ):
        own = OPERATOR_ACTOR._replace(organisation=kept_clinic.organisation)
        with store.transaction(own) as work:
            organisations.update_organisation(work, {"name": "Kept Clinic"})
            work.audit("administer")
        answer, _ = self.accept(browser, invited[1], **given)
        assert answer.status_code == 422
        assert [each for each in ("name", "password", "again", "code")
                if f'id="{each}-wrong"' in answer.text] == faulty  # fmt: skip
        assert PASSWORD not in answer.text
        assert not signed_in(browser)
        assert self.accept(browser, invited[1])[0].status_code == 200

    def test_does_not_take_the_name_of_another(
        self, kept_service, kept_clinic, browser, invited, grace
    ):
        answer, _ = self.accept(browser, invited[1], name=grace.name.upper())
        assert answer.status_code == 422
        assert 'id="name-wrong"' in answer.text
        refused = [each for each in audited(kept_service, kept_clinic) if each.action == "refuse"]
        assert [(each.outcome, each.actor) for each in refused] == [("conflict", invited[0])]

    def test_is_not_chosen_for_again_and_again(
        self, kept_service, kept_clinic, browser, invited, monkeypatch
    ):
        monkeypatch.setitem(kept_service.state._state, "limiter", RateLimiter(lambda: 0.0))
        page = browser.get(invited[1])
        form = {"token": token_in(page.text), "name": "", "password": "", "again": "", "code": ""}
        done = [browser.post(invited[1], data=form).status_code
                for _ in range(INVITATION_ATTEMPTS_PER_MINUTE + 1)]  # fmt: skip
        assert done == [422] * INVITATION_ATTEMPTS_PER_MINUTE + [429]
        row = last(kept_service, kept_clinic)
        assert (row.action, row.outcome) == ("refuse", "too_many")

    def test_that_is_asked_for_again_takes_the_place_of_the_first(
        self, kept_service, kept_client, grace
    ):
        path, key = f"/v1/practitioners/{grace.id}/invitations", {"Idempotency-Key": "k"}
        first, second = (
            kept_client.post(path, headers=key).json()["url"].removeprefix("http://127.0.0.1:8000")
            for _ in range(2)
        )
        assert visiting(kept_service).get(first).status_code == 404
        assert visiting(kept_service).get(second).status_code == 200

    def test_anew_ends_what_was_before(self, store, kept_service, kept_clinic, grace):
        client = at_desk(kept_service, grace)
        _, secret = do(store, kept_clinic, invitations.add_invitation, grace.id)
        fresh = visiting(kept_service)
        answer, _ = self.accept(fresh, f"/invitation/{secret}", password="quite another harbour",
                                again="quite another harbour")  # fmt: skip
        assert answer.status_code == 200
        assert not signed_in(client)
        assert sign_in_by(visiting(kept_service), grace, code=grace.codes[0]).status_code == 422

    def test_that_is_wrong_replaced_or_expired_is_told_alike(
        self, store, kept_service, kept_clinic, invited
    ):
        _, newer = do(store, kept_clinic, invitations.add_invitation, invited[0])
        told = [visiting(kept_service).get(at) for at in (invited[1], f"/invitation/{'A' * 43}")]
        with time_machine.travel(0, tick=False) as clock:
            clock.move_to("2030-01-01T00:00:00Z")
            told.append(visiting(kept_service).get(f"/invitation/{newer}"))
        assert {each.status_code for each in told} == {404}
        assert len({each.text for each in told}) == 1

    def test_is_made_by_an_administrator_for_who_may_do_something(self, kept_client):
        body = {"reference": "r", "name": "Dr Idle"}
        idle = kept_client.post("/v1/practitioners", json=body).json()["id"]
        here = f"/v1/practitioners/{idle}"
        assert kept_client.post(f"{here}/invitations").status_code == 409
        kept_client.patch(here, json={"scopes": ["screenings:read"]})
        made = kept_client.post(f"{here}/invitations")
        assert made.status_code == 201
        assert made.json()["url"].startswith("http://127.0.0.1:8000/invitation/")

    def test_is_not_made_without_the_scope(self, kept_service, kept_clinic, grace):
        client = calling(kept_service, kept_clinic, ["screenings:read"])
        assert client.post(f"/v1/practitioners/{grace.id}/invitations").status_code == 403


@pytest.mark.parametrize("framed", ["", "https://ehr.example.org"])
def test_over_https_cookies_are_bound_to_the_host_and_kept_apart_in_a_frame(
    kept_service, store, framed
):
    changed = {"public_url": "https://pain.example.org", "frame_ancestors": framed}
    settings = kept_service.state.settings.model_copy(update=changed)
    service = create_app(settings, store=store)
    answer = visiting(service).get("/sign-in")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-nociscreen_visit=")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert ("SameSite=None; Partitioned" in cookie) is bool(framed)
    assert ("SameSite=Lax" in cookie) is not bool(framed)
    policy = answer.headers["content-security-policy"]
    nobody = "'none'"
    assert f"frame-ancestors {framed or nobody}" in policy
