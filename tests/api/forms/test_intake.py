"""The pages of an intake over HTTP: what is refused, what is saved and who sees what."""

import re

import pytest
from starlette.testclient import TestClient
from support.browser.form_patients import NUMBERS, create_link
from support.builders import do, run_concurrently
from support.callers import audited, bearing, count_stored_screenings, replace_service
from support.form_controls import (
    RED_FLAG_GROUPS,
    build_fields,
    find_consent_step,
    find_control,
    find_step,
)

from api.auth.admission import LINK_REQUESTS, WRONG_LINKS
from api.http.rate_limit import RateLimiter
from api.main import create_app
from api.store.forms import drafts, form_settings, links, open_links
from api.store.screenings import screenings
from schemas.organisations.form_settings import FormSettings

PHQ4 = {f"q{n}": "n1" for n in range(4)}
PERSONAL_SAFETY = [choice.answer for choice in find_control("rf_personal_safety").choices]
HEADACHE = {"rf_head_and_face": "new_headache_worse_lying_or_straining"}
"""To be checked today."""
AFTER_RED_FLAGS = find_step("rf_personal_safety") + 1
NO_RED_FLAG = dict.fromkeys(RED_FLAG_GROUPS, "none")


@pytest.fixture
def store(kept_service):
    replace_service(kept_service, rate_limiter=RateLimiter(lambda: 0.0))
    return kept_service.services.store


@pytest.fixture
def link(store, kept_clinic):
    """The id of a link to the PHQ-4 and its URL path."""
    link_id, secret = create_link(store, kept_clinic, "phq4")
    return link_id, f"/intake/{secret}"


HIDDEN_FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([0-9a-f]{64})">')


def read_token(page) -> str:
    return re.search(r'name="token" value="([0-9a-f]{64})"', page.text)[1]


def submit_form(client, path, page=None, **fields):
    """Submit the form of a page with its hidden fields."""
    hidden_fields = dict(HIDDEN_FIELD.findall(client.get(page or path).text))
    return client.post(path, data=hidden_fields | fields, follow_redirects=False)


def begin_intake(client, link):
    assert submit_form(client, link[1], agree="yes").status_code == 303


def fill_phq4(client, link):
    begin_intake(client, link)
    assert (
        submit_form(client, f"{link[1]}/1", intent="next", **PHQ4)
        .headers["location"]
        .endswith("/review")
    )


def answer_questions(client, base_path, **answers):
    """Answer questions of nociplastic, page by page; return the last response."""
    response = None
    for step in sorted({find_step(question) for question in answers}):
        on_page = {name: answer for name, answer in answers.items() if find_step(name) == step}
        fields = build_fields(**on_page)
        response = submit_form(client, f"{base_path}/{step}", intent="next", **fields)
    return response


class TestALink:
    def test_that_is_wrong_revoked_or_expired_gets_the_same_response(
        self, store, kept_anonymous, kept_clinic
    ):
        links_by_case = {name: create_link(store, kept_clinic, "phq4") for name in ("revoked",)}
        do(store, kept_clinic, links.revoke_link, links_by_case["revoked"][0])
        links_by_case["expired"] = create_link(store, kept_clinic, "phq4", days=-1)
        links_by_case["wrong"] = ("", "A" * 43)
        links_by_case["short"] = ("", "A")
        bound_link = create_link(store, kept_clinic, "phq4", kind="once")
        do(store, kept_clinic, open_links.bind_holder, bound_link[0], "another browser")
        links_by_case["bound"] = bound_link
        responses = set()
        for _, secret in links_by_case.values():
            for path in ("", "/1", "/review", "/advice"):
                page = kept_anonymous.get(f"/intake/{secret}{path}")
                headers = {k: v for k, v in page.headers.items() if k != "x-request-id"}
                responses.add((page.status_code, page.text, str(headers)))
        assert len(responses) == 1
        assert next(iter(responses))[0] == 404

    def test_cannot_be_guessed_at_length(self, kept_anonymous, link):
        for _ in range(WRONG_LINKS.per_minute):
            assert kept_anonymous.get("/intake/nothing").status_code == 404
        page = kept_anonymous.get("/intake/nothing")
        assert (page.status_code, page.headers["content-type"][:9]) == (429, "text/html")
        assert int(page.headers["retry-after"]) >= 1
        assert kept_anonymous.get(link[1]).status_code == 200

    def test_is_limited_but_its_advice_never_is(self, store, kept_anonymous, kept_clinic):
        link_id, secret = create_link(store, kept_clinic)
        base_path = f"/intake/{secret}"
        begin_intake(kept_anonymous, (link_id, base_path))
        answer_questions(kept_anonymous, base_path, rf_spine_and_nerves="saddle_numbness")
        statuses = [
            kept_anonymous.get(base_path).status_code for _ in range(LINK_REQUESTS.per_minute)
        ]
        assert (statuses[0], statuses[-1]) == (200, 429)
        assert "Get help now" in kept_anonymous.get(f"{base_path}/advice").text
        token = dict(HIDDEN_FIELD.findall(kept_anonymous.get(f"{base_path}/advice").text))
        response = kept_anonymous.post(
            f"{base_path}/advice", data=token | {"read": "yes"}, follow_redirects=False
        )
        assert response.status_code == 303

    def test_is_audited_without_content(self, kept_service, kept_clinic, kept_anonymous, link):
        fill_phq4(kept_anonymous, link)
        assert submit_form(kept_anonymous, f"{link[1]}/review", intent="send").status_code == 303
        rows = [row for row in audited(kept_service, kept_clinic) if row.means == "link"]
        assert {row.actor for row in rows} == {link[0]}
        assert {(row.action, row.kind) for row in rows} == {
            ("read", "link"), ("read", "draft"), ("create", "draft"), ("answer", "draft"),
            ("create", "screening"), ("answer", "link"),
        }  # fmt: skip
        assert all(row.route.split(" ")[1].startswith("/intake/{link}") for row in rows)

    def test_of_a_closed_organisation_opens_nothing(self, store, kept_anonymous, kept_clinic, link):
        from api.store.accounts import organisations

        do(store, kept_clinic, organisations.update_organisation, {"active": False})
        assert kept_anonymous.get(link[1]).status_code == 404


class TestSending:
    def test_saves_one_screening_and_uses_up_the_link(
        self, store, kept_service, kept_anonymous, kept_clinic, link
    ):
        fill_phq4(kept_anonymous, link)
        before = count_stored_screenings(kept_service)
        assert submit_form(kept_anonymous, f"{link[1]}/review", intent="send").status_code == 303
        assert count_stored_screenings(kept_service) == before + 1
        link_detail = do(store, kept_clinic, links.find_link, link[0])
        assert (link_detail.state, link_detail.started_at) == ("submitted", None)
        screening = do(store, kept_clinic, screenings.find_screening, link_detail.screening)
        assert screening.answers == dict.fromkeys(
            ("phq4_nervous", "phq4_worrying", "phq4_interest", "phq4_down"), 1
        )
        assert do(store, kept_clinic, drafts.find_draft, link[0]) is None
        page = kept_anonymous.get(link[1])
        assert (page.status_code, page.url.path) == (200, f"{link[1]}/sent")

    def test_by_eight_requests_at_once_saves_one_screening(
        self, kept_service, kept_anonymous, kept_client, link
    ):
        fill_phq4(kept_anonymous, link)
        csrf_token = read_token(kept_anonymous.get(f"{link[1]}/review"))
        form = {"token": csrf_token, "intent": "send"}
        statuses = run_concurrently(8, lambda _: bearing(kept_service).post(
            f"{link[1]}/review", data=form).status_code)  # fmt: skip
        assert statuses == [200] * 8
        assert len(kept_client.get("/v1/screenings").json()["screenings"]) == 1

    def test_again_by_the_same_browser_shows_the_confirmation(
        self, kept_service, kept_clinic, kept_anonymous, kept_client, link
    ):
        fill_phq4(kept_anonymous, link)
        csrf_token = read_token(kept_anonymous.get(f"{link[1]}/review"))
        form = {"token": csrf_token, "intent": "send"}
        for _ in range(2):
            page = kept_anonymous.post(f"{link[1]}/review", data=form)
            assert (page.status_code, "We have received your answers" in page.text) == (200, True)
        assert len(kept_client.get("/v1/screenings").json()["screenings"]) == 1
        rows = [row for row in audited(kept_service, kept_clinic) if row.means == "link"]
        assert [(row.action, row.kind) for row in rows[-2:]] == [
            ("read", "link"),
            ("read", "screening"),
        ]

    def test_twice_at_once_by_one_browser_shows_the_confirmation_twice(
        self, store, kept_service, kept_clinic
    ):
        for _ in range(8):
            link_id, secret = create_link(store, kept_clinic, "phq4")
            browsers = [bearing(kept_service) for _ in range(2)]
            fill_phq4(browsers[0], (link_id, f"/intake/{secret}"))
            form = {
                "token": read_token(browsers[0].get(f"/intake/{secret}/review")),
                "intent": "send",
            }
            browsers[1].cookies.update(browsers[0].cookies)
            statuses = run_concurrently(2, lambda n, b=browsers, s=secret, f=form: b[n].post(
                f"/intake/{s}/review", data=f).status_code)  # fmt: skip
            assert statuses == [200, 200]

    @pytest.mark.parametrize("cookie", ["none", "of another link", "invented"])
    def test_again_by_another_browser_says_sent_and_shows_no_answer(
        self, store, kept_service, kept_clinic, kept_anonymous, link, cookie
    ):
        fill_phq4(kept_anonymous, link)
        form = {"token": read_token(kept_anonymous.get(f"{link[1]}/review")), "intent": "send"}
        assert "Several days" in kept_anonymous.post(f"{link[1]}/review", data=form).text
        stranger = bearing(kept_service)
        if cookie == "of another link":
            other_link = create_link(store, kept_clinic, "phq4")
            fill_phq4(stranger, (other_link[0], f"/intake/{other_link[1]}"))
            stranger.get(f"/intake/{other_link[1]}/review")
        elif cookie == "invented":
            stranger.cookies["nociscreen_reviewed"] = form["token"]
        for page in (stranger.post(f"{link[1]}/review", data=form), stranger.get(f"{link[1]}/1")):
            assert (page.status_code, page.url.path) == (200, f"{link[1]}/sent")
            assert "Your answers were sent" in page.text
            assert "Several days" not in page.text

    def test_on_a_shared_device_leaves_nothing_on_it(self, store, kept_service, kept_clinic):
        link_id, secret = create_link(store, kept_clinic, "phq4")
        device = bearing(kept_service)
        device.get(f"/kiosk/{secret}")
        fill_phq4(device, (link_id, "/kiosk/form"))
        response = submit_form(device, "/kiosk/form/review", intent="send")
        page = device.get(response.headers["location"])
        assert "We have received your answers" in page.text
        assert "Several days" not in page.text
        assert not device.cookies

    def test_that_fails_leaves_the_link_and_the_draft(
        self, store, kept_anonymous, kept_clinic, link, monkeypatch
    ):
        fill_phq4(kept_anonymous, link)

        def failing(*_):
            raise RuntimeError("the disk is gone")

        with monkeypatch.context() as patched:
            patched.setattr(open_links, "attach_screening", failing)
            assert (
                submit_form(kept_anonymous, f"{link[1]}/review", intent="send").status_code == 500
            )
        assert do(store, kept_clinic, links.find_link, link[0]).state == "started"
        assert submit_form(kept_anonymous, f"{link[1]}/review", intent="send").status_code == 303

    def test_without_a_required_answer_is_refused(self, kept_anonymous, kept_client, link):
        begin_intake(kept_anonymous, link)
        response = submit_form(kept_anonymous, f"{link[1]}/review", intent="send")
        assert response.headers["location"] == f"{link[1]}/review"
        page = kept_anonymous.get(f"{link[1]}/review")
        assert "Some answers are still needed" in page.text
        assert kept_client.get("/v1/screenings").json()["screenings"] == []

    def test_requires_consent(self, kept_anonymous, link):
        page = kept_anonymous.post(link[1], data={"token": read_token(kept_anonymous.get(link[1]))})
        assert (page.url.query, "Please tick the box if you agree" in page.text) == (
            b"fault=agree",
            True,
        )
        for path in ("/1", "/review", "/advice"):
            answer = kept_anonymous.get(link[1] + path, follow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (303, link[1])


class TestAForm:
    @pytest.mark.parametrize("csrf_token", ["", "0" * 64, "of another link"])
    def test_without_its_token_changes_nothing(
        self, store, kept_anonymous, kept_clinic, link, csrf_token
    ):
        if csrf_token == "of another link":
            other_secret = create_link(store, kept_clinic, "phq4")[1]
            csrf_token = read_token(kept_anonymous.get(f"/intake/{other_secret}"))
        page = kept_anonymous.post(link[1], data={"token": csrf_token, "agree": "yes"})
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
        csrf_token = read_token(kept_anonymous.get(link[1]))
        page = kept_anonymous.post(
            link[1], data={"token": csrf_token, "agree": "yes"}, headers=headers
        )
        assert page.status_code == 403
        assert do(store, kept_clinic, drafts.find_draft, link[0]) is None

    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            (b"token=%FF", "application/x-www-form-urlencoded", 400),
            (b"a=1&" * 600, "application/x-www-form-urlencoded", 400),
            (b"x" * 70_000, "application/x-www-form-urlencoded", 413),
            (b"{}", "application/json", 415),
        ],
    )
    def test_that_cannot_be_read_is_answered_with_a_page(
        self, kept_anonymous, link, body, content_type, status
    ):
        page = kept_anonymous.post(link[1], content=body, headers={"Content-Type": content_type})
        assert page.status_code == status
        assert page.headers["content-type"].startswith("text/html")

    @pytest.mark.parametrize("wrong", ["n9", "o1", "<script>alert(1)</script>", "none"])
    def test_with_an_unknown_option_is_refused(self, kept_anonymous, link, wrong):
        begin_intake(kept_anonymous, link)
        fields = PHQ4 | {"q0": wrong}
        response = submit_form(kept_anonymous, f"{link[1]}/1", intent="next", **fields)
        assert response.headers["location"] == f"{link[1]}/1"
        page = kept_anonymous.get(f"{link[1]}/1")
        assert "There is a problem" in page.text
        assert "<script>alert" not in page.text

    def test_with_none_of_these_and_another_option_is_refused(
        self, store, kept_anonymous, kept_clinic
    ):
        link_id, secret = create_link(store, kept_clinic)
        begin_intake(kept_anonymous, (link_id, f"/intake/{secret}"))
        both = ["saddle_numbness", "none"]
        response = answer_questions(kept_anonymous, f"/intake/{secret}", rf_spine_and_nerves=both)
        page = kept_anonymous.get(response.headers["location"])
        assert "not both" in page.text
        assert (
            "rf_spine_and_nerves" not in do(store, kept_clinic, drafts.find_draft, link_id).answers
        )


class TestNotBeingSure:
    def test_of_red_flags_is_shown_to_the_clinician(self, store, kept_anonymous, kept_clinic):
        link_id, secret = create_link(store, kept_clinic)
        base_path = f"/intake/{secret}"
        begin_intake(kept_anonymous, (link_id, base_path))
        answer_questions(
            kept_anonymous, base_path, age_years=44, pain_duration_months=60, cancer_ever=False
        )
        answers = NO_RED_FLAG | {"rf_personal_safety": "none", "rf_general": "unknown"}
        response = answer_questions(kept_anonymous, base_path, **answers)
        assert response.headers["location"].endswith(f"/{AFTER_RED_FLAGS}")
        answer_questions(kept_anonymous, base_path, pain_sites="neck")
        answer_questions(kept_anonymous, base_path, diagnoses="unknown")
        assert submit_form(kept_anonymous, f"{base_path}/review", intent="send").status_code == 303
        link_detail = do(store, kept_clinic, links.find_link, link_id)
        assessment = do(
            store, kept_clinic, screenings.find_screening, link_detail.screening
        ).assessment
        assert assessment.status == "insufficient_information"
        assert assessment.safety.unanswered == ("rf_general",)


class TestSkipping:
    def test_leaves_a_question_open_and_never_means_no(self, store, kept_anonymous, kept_clinic):
        link_id, secret = create_link(store, kept_clinic)
        begin_intake(kept_anonymous, (link_id, f"/intake/{secret}"))
        answer_questions(
            kept_anonymous,
            f"/intake/{secret}",
            pain_extent="unknown",
            pain_moves_or_spreads=False,
        )
        draft = do(store, kept_clinic, drafts.find_draft, link_id)
        assert draft.answers == {"pain_moves_or_spreads": False}
        assert draft.left == {"pain_extent": "unknown"}


class TestAdvice:
    def acknowledge(self, store, client, clinic, **answers):
        """Return the path of an intake with red flags whose advice was acknowledged."""
        link_id, secret = create_link(store, clinic)
        base_path = f"/intake/{secret}"
        begin_intake(client, (link_id, base_path))
        answer_questions(client, base_path, **answers)
        assert submit_form(client, f"{base_path}/advice", read="yes").status_code == 303
        return base_path

    @pytest.mark.parametrize("option", PERSONAL_SAFETY)
    def test_is_not_shown_again_for_personal_safety(
        self, store, kept_anonymous, kept_clinic, option
    ):
        base_path = self.acknowledge(store, kept_anonymous, kept_clinic, rf_personal_safety=option)
        page = kept_anonymous.get(f"{base_path}/advice", follow_redirects=False)
        assert page.status_code == 303
        for path in (f"/{AFTER_RED_FLAGS}", "/review"):
            page = kept_anonymous.get(base_path + path).text
            assert "See what to do now" not in page
            assert "In an emergency" in page

    def test_is_shown_again_for_all_other_flags(self, store, kept_anonymous, kept_clinic):
        base_path = self.acknowledge(
            store, kept_anonymous, kept_clinic, **HEADACHE, rf_personal_safety="unsafe_at_home"
        )
        next_page = kept_anonymous.get(f"{base_path}/{AFTER_RED_FLAGS}").text
        assert "See what to do now" in next_page
        page = kept_anonymous.get(f"{base_path}/advice").text
        assert "Speak to a doctor today" in page
        assert "alone" not in page
        later = answer_questions(kept_anonymous, base_path, rf_general="fever_or_rigors")
        assert later.headers["location"].endswith("/advice")
        assert "alone" not in kept_anonymous.get(f"{base_path}/advice").text

    def test_acknowledged_in_one_window_stays_unread_if_another_window_added_to_it(
        self, store, kept_anonymous, kept_clinic
    ):
        link_id, secret = create_link(store, kept_clinic)
        base_path = f"/intake/{secret}"
        begin_intake(kept_anonymous, (link_id, base_path))
        answer_questions(kept_anonymous, base_path, **HEADACHE)
        first = dict(HIDDEN_FIELD.findall(kept_anonymous.get(f"{base_path}/advice").text))
        submit_form(kept_anonymous, f"{base_path}/advice", read="yes")
        answer_questions(kept_anonymous, base_path, rf_personal_safety="suicidal_thoughts")
        unread = kept_anonymous.post(f"{base_path}/advice", data=first | {"read": "yes"})
        assert unread.url.path == f"{base_path}/advice"
        assert "Thank you for telling us" in unread.text
        assert (
            "advice"
            not in submit_form(kept_anonymous, f"{base_path}/advice", read="yes").headers[
                "location"
            ]
        )

    def test_is_not_acknowledged_without_a_valid_flags_token(
        self, store, kept_anonymous, kept_clinic
    ):
        link_id, secret = create_link(store, kept_clinic)
        base_path = f"/intake/{secret}"
        begin_intake(kept_anonymous, (link_id, base_path))
        answer_questions(kept_anonymous, base_path, **HEADACHE)
        for flags_token in ("", "0" * 64):
            answer = submit_form(
                kept_anonymous, f"{base_path}/advice", read="yes", flags_token=flags_token
            )
            assert answer.headers["location"] == f"{base_path}/advice"


class TestResuming:
    @pytest.mark.parametrize(("intent", "distance"), [("next", 1), ("later", 0), ("back", -1)])
    def test_returns_to_the_last_step_even_with_blank_fields(
        self, store, kept_anonymous, kept_clinic, intent, distance
    ):
        link_id, secret = create_link(store, kept_clinic)
        base_path = f"/intake/{secret}"
        begin_intake(kept_anonymous, (link_id, base_path))
        number, fields = find_step("pain_extent"), build_fields(pain_extent="spot")
        submit_form(kept_anonymous, f"{base_path}/{number}", intent=intent, **fields)
        place = f"{base_path}/{number + distance}"
        assert submit_form(kept_anonymous, base_path).headers["location"] == place

    def test_after_the_last_step_shows_the_review(self, kept_anonymous, link):
        fill_phq4(kept_anonymous, link)
        assert submit_form(kept_anonymous, link[1]).headers["location"] == f"{link[1]}/review"

    def test_repeats_the_advice_and_the_numbers_to_call(self, store, kept_anonymous, kept_clinic):
        do(
            store,
            kept_clinic,
            form_settings.update_form_settings,
            FormSettings(emergency_numbers=NUMBERS),
        )
        link_id, secret = create_link(store, kept_clinic)
        base_path = f"/intake/{secret}"
        begin_intake(kept_anonymous, (link_id, base_path))
        answer_questions(
            kept_anonymous,
            base_path,
            rf_spine_and_nerves="saddle_numbness",
            rf_personal_safety="unsafe_at_home",
        )
        submit_form(kept_anonymous, f"{base_path}/advice", read="yes")
        for page in (AFTER_RED_FLAGS, "review"):
            response = submit_form(kept_anonymous, f"{base_path}/{page}", intent="later")
            assert response.headers["location"] == f"{base_path}/saved"
            text = kept_anonymous.get(f"{base_path}/saved").text
            assert "Get help now" in text
            assert "continue with these questions another time" in text
            assert "116 123" in text
            assert "You can ask to speak with your clinician alone" not in text


def test_the_confirmation_does_not_offer_to_continue(store, kept_anonymous, kept_clinic):
    link_id, secret = create_link(store, kept_clinic)
    base_path = f"/intake/{secret}"
    begin_intake(kept_anonymous, (link_id, base_path))
    answer_questions(
        kept_anonymous, base_path, age_years=44, pain_duration_months=60, cancer_ever=False
    )
    answer_questions(
        kept_anonymous, base_path, **NO_RED_FLAG | {"rf_spine_and_nerves": "saddle_numbness"}
    )
    assert "another time" in kept_anonymous.get(f"{base_path}/advice").text
    submit_form(kept_anonymous, f"{base_path}/advice", read="yes")
    answer_questions(kept_anonymous, base_path, pain_sites="neck")
    response = submit_form(kept_anonymous, f"{base_path}/review", intent="send")
    page = kept_anonymous.get(response.headers["location"]).text
    assert "Get help now" in page
    assert "another time" not in page


class TestACrisis:
    @pytest.mark.parametrize("option", ["suicidal_plan_or_intent", "suicidal_thoughts"])
    def test_without_a_number_mentions_none(self, store, kept_anonymous, kept_clinic, option):
        link_id, secret = create_link(store, kept_clinic)
        begin_intake(kept_anonymous, (link_id, f"/intake/{secret}"))
        base_path = f"/intake/{secret}"
        texts = {}
        for numbers in ((), NUMBERS):
            do(
                store,
                kept_clinic,
                form_settings.update_form_settings,
                FormSettings(emergency_numbers=numbers),
            )
            fields = build_fields(rf_personal_safety=option)
            page = f"{base_path}/{find_step('rf_personal_safety')}"
            submit_form(kept_anonymous, page, base_path, intent="next", **fields)
            texts[numbers] = kept_anonymous.get(f"{base_path}/advice").text
        assert "first number below" in texts[NUMBERS]
        assert 'href="tel:116123"' in texts[NUMBERS]
        assert "first number below" not in texts[()]
        assert "tel:" not in texts[()]
        assert "emergency number of the country" in texts[()]
        assert "nearest emergency department" in texts[()]


def test_adversity_is_not_asked_if_the_organisation_turned_it_off(
    store, kept_anonymous, kept_clinic
):
    do(
        store,
        kept_clinic,
        form_settings.update_form_settings,
        FormSettings(adversity_questions=False),
    )
    link_id, secret = create_link(store, kept_clinic)
    begin_intake(kept_anonymous, (link_id, f"/intake/{secret}"))
    consent = find_consent_step()
    page = kept_anonymous.get(f"/intake/{secret}/{consent}", follow_redirects=False)
    assert page.status_code == 303


def test_the_texts_of_the_organisation_are_shown_escaped(store, kept_anonymous, kept_clinic, link):
    settings = FormSettings(
        consent={"en": "We agree <b>so</b>."}, privacy={"en": "Ours."}, emergency_numbers=NUMBERS
    )
    do(store, kept_clinic, form_settings.update_form_settings, settings)
    page = kept_anonymous.get(link[1]).text
    assert "We agree &lt;b&gt;so&lt;/b&gt;." in page
    assert "116 123" in page
    assert "Ours." in page
    assert "may see an urgent answer before you send it" in page


def test_only_the_languages_of_the_organisation_are_offered(
    store, kept_anonymous, kept_clinic, link
):
    do(
        store,
        kept_clinic,
        form_settings.update_form_settings,
        FormSettings(languages=("de", "en")),
    )
    for language, page_language in (("es", "en"), ("de", "de"), ("es,de;q=0.5", "de")):
        page = kept_anonymous.get(link[1], headers={"Accept-Language": language}).text
        assert f'<html lang="{page_language}">' in page
        assert re.findall(r'hreflang="(\w+)"', page) == ["en", "de"]
    assert '<html lang="es">' not in kept_anonymous.get(f"{link[1]}?language=es").text
    begin_intake(kept_anonymous, link)
    page = kept_anonymous.get(f"{link[1]}/1").text
    assert re.findall(r'value="language-(\w+)"', page) == ["en", "de"]


class TestEveryPage:
    def test_has_security_headers(self, kept_anonymous, link):
        begin_intake(kept_anonymous, link)
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

    def test_may_be_framed_by_the_ancestors_in_the_settings(self, tmp_path):
        from support.builders import build_store_settings

        service = create_app(
            build_store_settings(tmp_path, frame_ancestors="https://ehr.example.org")
        )
        page = TestClient(service).get("/kiosk")
        assert "frame-ancestors https://ehr.example.org" in page.headers["content-security-policy"]
        assert "x-frame-options" not in page.headers
        service.services.store.close()

    def test_sets_cookies_that_scripts_cannot_read(self, store, kept_anonymous, kept_clinic):
        _, secret = create_link(store, kept_clinic, "phq4", kind="once")
        response = submit_form(kept_anonymous, f"/intake/{secret}", agree="yes")
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie


def test_only_the_static_files_are_served_and_cached_by_their_hash(kept_anonymous):
    match = re.search(r'href="(/static/pages.css\?v=\w+)"', kept_anonymous.get("/kiosk").text)
    answer = kept_anonymous.get(match[1])
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    for name in ("..%2fpages.py", "pages.py", "%2e%2e"):
        assert kept_anonymous.get(f"/static/{name}").status_code == 404
