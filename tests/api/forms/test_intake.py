"""The pages of an intake without a browser: what is refused, what is kept, what is told to whom."""

import re

import pytest
from starlette.testclient import TestClient
from support.browser.form_patients import NUMBERS, link_of
from support.builders import at_once, do
from support.callers import audited, bearing, counted

from api.forms.link_access import WRONG_LINKS_PER_MINUTE
from api.http.rate_limit import RateLimiter
from api.main import create_app
from api.store.forms import drafts, form_settings, links
from api.store.screenings import screenings
from schemas.form_settings import FormSettings

PHQ4 = {f"q{n}": "n1" for n in range(4)}


@pytest.fixture
def store(kept_service):
    kept_service.state.limiter = RateLimiter(lambda: 0.0)
    return kept_service.state.store


@pytest.fixture
def link(store, kept_clinic):
    """The id of a link to the PHQ-4, and its address."""
    made, secret = link_of(store, kept_clinic, "phq4")
    return made, f"/intake/{secret}"


HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([0-9a-f]{64})">')


def token(page) -> str:
    return re.search(r'name="token" value="([0-9a-f]{64})"', page.text)[1]


def post(client, path, at=None, **fields):
    """Send the form that stands there."""
    hidden = dict(HIDDEN.findall(client.get(at or path).text))
    return client.post(path, data=hidden | fields, follow_redirects=False)


def begun(client, link):
    assert post(client, link[1], agree="yes").status_code == 303


def filled(client, link):
    begun(client, link)
    assert post(client, f"{link[1]}/1", to="next", **PHQ4).headers["location"].endswith("/review")


class TestALink:
    def test_that_is_wrong_used_revoked_or_expired_is_told_alike(
        self, store, kept_anonymous, kept_clinic
    ):
        made = {name: link_of(store, kept_clinic, "phq4") for name in ("used", "revoked")}
        do(store, kept_clinic, links.mark_submitted, made["used"][0])
        do(store, kept_clinic, links.revoke_link, made["revoked"][0])
        made["expired"] = link_of(store, kept_clinic, "phq4", days=-1)
        made["wrong"] = ("", "A" * 43)
        made["short"] = ("", "A")
        held = link_of(store, kept_clinic, "phq4", kind="once")
        do(store, kept_clinic, links.bind_holder, held[0], "another browser")
        made["held"] = held
        told = set()
        for _, secret in made.values():
            for path in ("", "/1", "/review", "/advice"):
                page = kept_anonymous.get(f"/intake/{secret}{path}")
                headers = {k: v for k, v in page.headers.items() if k != "x-request-id"}
                told.add((page.status_code, page.text, str(headers)))
        assert len(told) == 1
        assert next(iter(told))[0] == 404

    def test_is_not_guessed_at_for_long(self, kept_anonymous, link):
        for _ in range(WRONG_LINKS_PER_MINUTE):
            assert kept_anonymous.get("/intake/nothing").status_code == 404
        page = kept_anonymous.get("/intake/nothing")
        assert (page.status_code, page.headers["content-type"][:9]) == (429, "text/html")
        assert int(page.headers["retry-after"]) >= 1
        assert kept_anonymous.get(link[1]).status_code == 429

    def test_leaves_its_trace_in_the_audit_without_content(
        self, kept_service, kept_clinic, kept_anonymous, link
    ):
        filled(kept_anonymous, link)
        assert post(kept_anonymous, f"{link[1]}/review", to="send").status_code == 200
        rows = [each for each in audited(kept_service, kept_clinic) if each.means == "link"]
        assert {each.actor for each in rows} == {link[0]}
        assert {(each.action, each.kind) for each in rows} == {
            ("read", "link"), ("read", "draft"), ("create", "draft"), ("answer", "draft"),
            ("create", "screening"), ("answer", "link"),
        }  # fmt: skip
        assert all(each.route.split(" ")[1].startswith("/intake/{link}") for each in rows)

    def test_of_a_closed_organisation_opens_nothing(self, store, kept_anonymous, kept_clinic, link):
        from api.store.accounts import organisations

        do(store, kept_clinic, organisations.update_organisation, {"active": False})
        assert kept_anonymous.get(link[1]).status_code == 404


class TestSending:
    def test_keeps_one_screening_and_uses_the_link_up(
        self, store, kept_service, kept_anonymous, kept_clinic, link
    ):
        filled(kept_anonymous, link)
        before = counted(kept_service)
        assert post(kept_anonymous, f"{link[1]}/review", to="send").status_code == 200
        assert counted(kept_service) == before + 1
        told = do(store, kept_clinic, links.find_link, link[0])
        assert (told.state, told.started_at) == ("submitted", None)
        made = do(store, kept_clinic, screenings.find_screening, told.screening)
        assert made.answers == dict.fromkeys(
            ("phq4_nervous", "phq4_worrying", "phq4_interest", "phq4_down"), 1
        )
        assert do(store, kept_clinic, drafts.find_draft, link[0]) is None
        assert kept_anonymous.get(link[1]).status_code == 404

    def test_by_eight_at_once_keeps_one(self, kept_service, kept_anonymous, kept_client, link):
        filled(kept_anonymous, link)
        proof = token(kept_anonymous.get(f"{link[1]}/review"))
        done = at_once(8, lambda _: bearing(kept_service).post(
            f"{link[1]}/review", data={"token": proof, "to": "send"}).status_code)  # fmt: skip
        assert 200 in done
        assert set(done) <= {200, 404}
        assert len(kept_client.get("/v1/screenings").json()["screenings"]) == 1

    def test_again_by_the_same_browser_is_told_that_it_arrived(
        self, kept_service, kept_clinic, kept_anonymous, kept_client, link
    ):
        filled(kept_anonymous, link)
        proof = token(kept_anonymous.get(f"{link[1]}/review"))
        form = {"token": proof, "to": "send"}
        for _ in range(2):
            page = kept_anonymous.post(f"{link[1]}/review", data=form)
            assert (page.status_code, "have arrived" in page.text) == (200, True)
        assert len(kept_client.get("/v1/screenings").json()["screenings"]) == 1
        rows = [each for each in audited(kept_service, kept_clinic) if each.means == "link"]
        assert (rows[-1].action, rows[-1].outcome, rows[-1].target) == ("read", "replayed", link[0])
        form["token"] = "0" * 64
        assert kept_anonymous.post(f"{link[1]}/review", data=form).status_code == 403

    def test_by_one_browser_twice_at_once_is_told_twice_that_it_arrived(
        self, store, kept_service, kept_clinic
    ):
        for _ in range(8):
            made, secret = link_of(store, kept_clinic, "phq4")
            browsers = [bearing(kept_service) for _ in range(2)]
            filled(browsers[0], (made, f"/intake/{secret}"))
            form = {"token": token(browsers[0].get(f"/intake/{secret}/review")), "to": "send"}
            browsers[1].cookies.update(browsers[0].cookies)
            done = at_once(2, lambda n, b=browsers, s=secret, f=form: b[n].post(
                f"/intake/{s}/review", data=f).status_code)  # fmt: skip
            assert done == [200, 200]

    @pytest.mark.parametrize("cookie", ["none", "of another link", "made up"])
    def test_again_by_another_browser_is_told_as_a_wrong_link(
        self, store, kept_service, kept_clinic, kept_anonymous, link, cookie
    ):
        filled(kept_anonymous, link)
        form = {"token": token(kept_anonymous.get(f"{link[1]}/review")), "to": "send"}
        assert kept_anonymous.post(f"{link[1]}/review", data=form).status_code == 200
        stranger = bearing(kept_service)
        if cookie == "of another link":
            other = link_of(store, kept_clinic, "phq4")
            filled(stranger, (other[0], f"/intake/{other[1]}"))
            stranger.get(f"/intake/{other[1]}/review")
        elif cookie == "made up":
            stranger.cookies["nociscreen_looked_through"] = form["token"]
        told = set()
        for address in (link[1], f"/intake/{'A' * 43}"):
            page = stranger.post(f"{address}/review", data=form)
            headers = {k: v for k, v in page.headers.items() if k != "x-request-id"}
            told.add((page.status_code, page.text, str(headers)))
        assert [each[0] for each in told] == [404]

    def test_again_and_again_to_a_used_link_is_held_up(self, kept_service, kept_anonymous, link):
        filled(kept_anonymous, link)
        form = {"token": token(kept_anonymous.get(f"{link[1]}/review")), "to": "send"}
        assert kept_anonymous.post(f"{link[1]}/review", data=form).status_code == 200
        stranger = bearing(kept_service)
        done = [stranger.post(f"{link[1]}/review", data=form).status_code
                for _ in range(WRONG_LINKS_PER_MINUTE + 1)]  # fmt: skip
        assert done == [404] * WRONG_LINKS_PER_MINUTE + [429]

    def test_at_a_device_leaves_nothing_on_it(self, store, kept_service, kept_clinic):
        made, secret = link_of(store, kept_clinic, "phq4")
        device = bearing(kept_service)
        device.get(f"/kiosk/{secret}")
        filled(device, (made, "/kiosk/form"))
        assert post(device, "/kiosk/form/review", to="send").status_code == 200
        assert not device.cookies

    def test_that_fails_keeps_the_link_and_the_draft(
        self, store, kept_anonymous, kept_clinic, link, monkeypatch
    ):
        filled(kept_anonymous, link)

        def failing(*_):
            raise RuntimeError("the disk is gone")

        with monkeypatch.context() as patched:
            patched.setattr(links, "attach_screening", failing)
            assert post(kept_anonymous, f"{link[1]}/review", to="send").status_code == 500
        assert do(store, kept_clinic, links.find_link, link[0]).state == "started"
        assert post(kept_anonymous, f"{link[1]}/review", to="send").status_code == 200

    def test_without_what_is_needed_is_held_up(self, kept_anonymous, kept_client, link):
        begun(kept_anonymous, link)
        page = post(kept_anonymous, f"{link[1]}/review", to="send")
        assert page.status_code == 422
        assert "Some answers are still needed" in page.text
        assert kept_client.get("/v1/screenings").json()["screenings"] == []

    def test_needs_consent_before(self, kept_anonymous, link):
        page = kept_anonymous.post(link[1], data={"token": token(kept_anonymous.get(link[1]))})
        assert (page.status_code, "Please tick that you agree" in page.text) == (422, True)
        for path in ("/1", "/review", "/advice"):
            answer = kept_anonymous.get(link[1] + path, follow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (303, link[1])


class TestAForm:
    @pytest.mark.parametrize("proof", ["", "0" * 64, "of another link"])
    def test_without_its_token_changes_nothing(
        self, store, kept_anonymous, kept_clinic, link, proof
    ):
        if proof == "of another link":
            other = link_of(store, kept_clinic, "phq4")[1]
            proof = token(kept_anonymous.get(f"/intake/{other}"))
        page = kept_anonymous.post(link[1], data={"token": proof, "agree": "yes"})
        assert page.status_code == 403
        assert do(store, kept_clinic, drafts.find_draft, link[0]) is None

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
        ],
    )
    def test_from_another_site_changes_nothing(
        self, store, kept_anonymous, kept_clinic, link, headers
    ):
        proof = token(kept_anonymous.get(link[1]))
        page = kept_anonymous.post(link[1], data={"token": proof, "agree": "yes"}, headers=headers)
        assert page.status_code == 403
        assert do(store, kept_clinic, drafts.find_draft, link[0]) is None

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"token=%FF", "application/x-www-form-urlencoded"),
            (b"a=1&" * 600, "application/x-www-form-urlencoded"),
            (b"x" * 70_000, "application/x-www-form-urlencoded"),
            (b"{}", "application/json"),
        ],
    )
    def test_that_cannot_be_read_is_told_as_a_page(self, kept_anonymous, link, body, kind):
        page = kept_anonymous.post(link[1], content=body, headers={"Content-Type": kind})
        assert page.status_code in (400, 413, 415)
        assert page.headers["content-type"].startswith("text/html")

    @pytest.mark.parametrize("wrong", ["n9", "o1", "<script>alert(1)</script>", "none"])
    def test_with_what_was_not_offered_is_put_right(self, kept_anonymous, link, wrong):
        begun(kept_anonymous, link)
        page = post(kept_anonymous, f"{link[1]}/1", to="next", **PHQ4 | {"q0": wrong})
        assert page.status_code in (303, 422)
        assert "<script>alert" not in page.text

    def test_says_none_of_these_and_something_only_to_be_asked_again(
        self, store, kept_anonymous, kept_clinic
    ):
        made, secret = link_of(store, kept_clinic)
        begun(kept_anonymous, (made, f"/intake/{secret}"))
        page = post(kept_anonymous, f"/intake/{secret}/2", to="next", q52=["o0", "none"])
        assert page.status_code == 422
        assert "not both" in page.text
        assert "rf_spine_and_nerves" not in do(store, kept_clinic, drafts.find_draft, made).answers


class TestNotBeingSure:
    def test_of_red_flags_is_sent_and_told_to_the_clinician(
        self, store, kept_anonymous, kept_clinic
    ):
        made, secret = link_of(store, kept_clinic)
        at = f"/intake/{secret}"
        begun(kept_anonymous, (made, at))
        post(kept_anonymous, f"{at}/1", to="next", q0="44", q1="60")
        fields = {f"q{n}": "none" for n in range(52, 58)} | {"q56": "unknown"}
        assert post(kept_anonymous, f"{at}/2", to="next", **fields).headers["location"][-2:] == "/3"
        number = next(
            n for n in range(3, 13) if 'name="q50"' in kept_anonymous.get(f"{at}/{n}").text
        )
        post(kept_anonymous, f"{at}/{number}", to="next", q50="unknown")
        assert post(kept_anonymous, f"{at}/review", to="send").status_code == 200
        told = do(store, kept_clinic, links.find_link, made)
        assessment = do(store, kept_clinic, screenings.find_screening, told.screening).assessment
        assert assessment.status == "insufficient_information"
        assert assessment.safety.unanswered == ("rf_general",)


class TestSkipping:
    def test_leaves_a_question_open_and_is_never_a_no(self, store, kept_anonymous, kept_clinic):
        made, secret = link_of(store, kept_clinic)
        begun(kept_anonymous, (made, f"/intake/{secret}"))
        post(kept_anonymous, f"/intake/{secret}/3", to="next", q5="unknown", q8="skipped", q9="no")
        draft = do(store, kept_clinic, drafts.find_draft, made)
        assert draft.answers == {"pain_moves_or_spreads": False}
        assert draft.left == {"pain_sites": "unknown", "pain_symmetric": "skipped"}


class TestReadingAdviceAgain:
    def answered(self, store, client, clinic, **marked):
        """The address of a form on which red flags were marked and their advice was read."""
        made, secret = link_of(store, clinic)
        at = f"/intake/{secret}"
        begun(client, (made, at))
        post(client, f"{at}/2", to="next", **marked)
        assert post(client, f"{at}/advice", read="yes").status_code == 303
        return at

    @pytest.mark.parametrize("marked", ["o0", "o1", "o2", "o3"])
    def test_tells_nothing_of_personal_safety(self, store, kept_anonymous, kept_clinic, marked):
        at = self.answered(store, kept_anonymous, kept_clinic, q57=marked)
        page = kept_anonymous.get(f"{at}/advice", follow_redirects=False)
        assert page.status_code == 303
        for path in ("/3", "/review"):
            page = kept_anonymous.get(at + path).text
            assert f"{at}/advice" not in page
            assert f'href="{at}">In an emergency' in page

    def test_tells_the_rest_alone(self, store, kept_anonymous, kept_clinic):
        at = self.answered(store, kept_anonymous, kept_clinic, q53="o5", q57="o2")
        assert f'href="{at}/advice"' in kept_anonymous.get(f"{at}/3").text
        page = kept_anonymous.get(f"{at}/advice").text
        assert "Speak with a doctor today" in page
        assert "alone" not in page
        later = post(kept_anonymous, f"{at}/2", to="next", q56="o0")
        assert later.headers["location"].endswith("/advice")
        assert "alone" not in kept_anonymous.get(f"{at}/advice").text

    def test_in_one_window_leaves_unread_what_another_window_brought(
        self, store, kept_anonymous, kept_clinic
    ):
        made, secret = link_of(store, kept_clinic)
        at = f"/intake/{secret}"
        begun(kept_anonymous, (made, at))
        post(kept_anonymous, f"{at}/2", to="next", q53="o5")
        first = dict(HIDDEN.findall(kept_anonymous.get(f"{at}/advice").text))
        post(kept_anonymous, f"{at}/advice", read="yes")
        post(kept_anonymous, f"{at}/2", to="next", q53="o5", q57="o2")
        unread = kept_anonymous.post(f"{at}/advice", data=first | {"read": "yes"})
        assert unread.url.path == f"{at}/advice"
        assert "alone" in unread.text
        assert "advice" not in post(kept_anonymous, f"{at}/advice", read="yes").headers["location"]

    def test_in_a_form_that_does_not_say_what_it_told_is_not_read(
        self, store, kept_anonymous, kept_clinic
    ):
        made, secret = link_of(store, kept_clinic)
        at = f"/intake/{secret}"
        begun(kept_anonymous, (made, at))
        post(kept_anonymous, f"{at}/2", to="next", q53="o5")
        for told in ("", "0" * 64):
            answer = post(kept_anonymous, f"{at}/advice", read="yes", told=told)
            assert answer.headers["location"] == f"{at}/advice"


class TestGoingOnLater:
    @pytest.mark.parametrize(("to", "place"), [("next", "4"), ("later", "3"), ("back", "2")])
    def test_is_where_it_was_stopped_whatever_was_left_blank(
        self, store, kept_anonymous, kept_clinic, to, place
    ):
        made, secret = link_of(store, kept_clinic)
        at = f"/intake/{secret}"
        begun(kept_anonymous, (made, at))
        post(kept_anonymous, f"{at}/3", to=to, q9="no")
        assert post(kept_anonymous, at).headers["location"] == f"{at}/{place}"

    def test_after_the_last_step_is_to_look_through(self, kept_anonymous, link):
        filled(kept_anonymous, link)
        assert post(kept_anonymous, link[1]).headers["location"] == f"{link[1]}/review"

    def test_reminds_of_what_to_do_now_and_whom_to_call(self, store, kept_anonymous, kept_clinic):
        do(
            store,
            kept_clinic,
            form_settings.update_form_settings,
            FormSettings(emergency_numbers=NUMBERS),
        )
        made, secret = link_of(store, kept_clinic)
        at = f"/intake/{secret}"
        begun(kept_anonymous, (made, at))
        post(kept_anonymous, f"{at}/2", to="next", q52="o0", q57="o2")
        assert post(kept_anonymous, f"{at}/advice", read="yes").headers["location"][-2:] == "/2"
        for page in ("3", "review"):
            told = post(kept_anonymous, f"{at}/{page}", to="later").text
            assert "Get help now" in told
            assert "go on with these questions another time" in told
            assert "116 123" in told
            assert "speak with your clinician alone" not in told


def test_what_was_sent_is_told_to_nobody_as_to_be_gone_on_with(store, kept_anonymous, kept_clinic):
    made, secret = link_of(store, kept_clinic)
    at = f"/intake/{secret}"
    begun(kept_anonymous, (made, at))
    post(kept_anonymous, f"{at}/1", to="next", q0="44", q1="60")
    fields = {f"q{n}": "none" for n in range(52, 57)} | {"q52": "o0"}
    post(kept_anonymous, f"{at}/2", to="next", **fields)
    assert "another time" in kept_anonymous.get(f"{at}/advice").text
    post(kept_anonymous, f"{at}/advice", read="yes")
    number = next(n for n in range(3, 13) if 'name="q50"' in kept_anonymous.get(f"{at}/{n}").text)
    post(kept_anonymous, f"{at}/{number}", to="next", q50="none")
    page = post(kept_anonymous, f"{at}/review", to="send").text
    assert "Get help now" in page
    assert "another time" not in page


class TestACrisis:
    @pytest.mark.parametrize("marked", ["o0", "o1"])
    def test_without_a_number_promises_none(self, store, kept_anonymous, kept_clinic, marked):
        made, secret = link_of(store, kept_clinic)
        begun(kept_anonymous, (made, f"/intake/{secret}"))
        at = f"/intake/{secret}"
        told = {}
        for numbers in ((), NUMBERS):
            do(
                store,
                kept_clinic,
                form_settings.update_form_settings,
                FormSettings(emergency_numbers=numbers),
            )
            post(kept_anonymous, f"{at}/2", f"{at}", to="next", q57=marked)
            told[numbers] = kept_anonymous.get(f"{at}/advice").text
        assert "these numbers" in told[NUMBERS]
        assert 'href="tel:116123"' in told[NUMBERS]
        assert "these numbers" not in told[()]
        assert "tel:" not in told[()]
        assert "emergency number of the country" in told[()]
        assert "nearest emergency department" in told[()]


def test_adversity_is_not_asked_where_the_organisation_does_not_want_it(
    store, kept_anonymous, kept_clinic
):
    do(
        store,
        kept_clinic,
        form_settings.update_form_settings,
        FormSettings(adversity_questions=False),
    )
    made, secret = link_of(store, kept_clinic)
    begun(kept_anonymous, (made, f"/intake/{secret}"))
    assert "Step 12 of 12" in kept_anonymous.get(f"/intake/{secret}/12").text
    page = kept_anonymous.get(f"/intake/{secret}/13", follow_redirects=False)
    assert page.status_code == 303


def test_the_organisations_own_words_stand_first_and_are_only_words(
    store, kept_anonymous, kept_clinic, link
):
    words = FormSettings(
        consent={"en": "We agree <b>so</b>."}, privacy={"en": "Ours."}, emergency_numbers=NUMBERS
    )
    do(store, kept_clinic, form_settings.update_form_settings, words)
    page = kept_anonymous.get(link[1]).text
    assert "We agree &lt;b&gt;so&lt;/b&gt;." in page
    assert "116 123" in page
    assert "Ours." in page


class TestEveryPage:
    def test_carries_careful_headers(self, kept_anonymous, link):
        begun(kept_anonymous, link)
        for path in (link[1], f"{link[1]}/1", f"{link[1]}/review", "/kiosk", "/intake/nothing"):
            page = kept_anonymous.get(path)
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert page.headers["cache-control"] == "no-store"
            assert page.headers["referrer-policy"] == "no-referrer"
            assert not re.search(r"<style|style=|<script(?! src)|\son\w+=", page.text)
            assert "MRN-0042" not in page.text

    def test_may_be_framed_by_whom_the_settings_name(self, tmp_path):
        from support.builders import kept_in

        service = create_app(kept_in(tmp_path, frame_ancestors="https://ehr.example.org"))
        page = TestClient(service).get("/kiosk")
        assert "frame-ancestors https://ehr.example.org" in page.headers["content-security-policy"]
        assert "x-frame-options" not in page.headers
        service.state.store.close()

    def test_sets_cookies_that_no_script_reads(self, store, kept_anonymous, kept_clinic):
        _, secret = link_of(store, kept_clinic, "phq4", kind="once")
        response = post(kept_anonymous, f"/intake/{secret}", agree="yes")
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie


def test_the_static_files_are_kept_by_their_hash_and_no_other_file_is_given(kept_anonymous):
    found = re.search(r'href="(/static/pages.css\?v=\w+)"', kept_anonymous.get("/kiosk").text)
    answer = kept_anonymous.get(found[1])
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    for name in ("..%2fpages.py", "pages.py", "%2e%2e"):
        assert kept_anonymous.get(f"/static/{name}").status_code == 404
