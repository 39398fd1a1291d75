"""Forms of one link that are submitted at the same time: each is saved or refused."""

import re

import pytest
from httpx import Response
from support.browser.form_patients import create_link
from support.builders import do, run_concurrently
from support.callers import bearing, replace_service
from support.form_controls import build_fields, find_step

from api.http.rate_limit import RateLimiter
from api.store.errors import NotFoundError
from api.store.forms import drafts, links, open_links
from api.store.screenings import screenings
from schemas.patients.links import Draft

PHQ4 = ("phq4_nervous", "phq4_worrying", "phq4_interest", "phq4_down")
ANSWERS_BY_PAGE = (
    {
        "age_years": 44,
        "pain_duration_months": 60,
    },
    {"rf_spine_and_nerves": "none"},
    {"pain_moves_or_spreads": False},
)
ROUNDS = 8


@pytest.fixture
def store(kept_service):
    replace_service(kept_service, rate_limiter=RateLimiter(lambda: 0.0))
    return kept_service.services.store


def fill_page(option: int) -> dict[str, str]:
    """Return the fields of the PHQ-4 page, each question with this option."""
    return {f"q{n}": f"n{option}" for n in range(4)}


class StartedIntake:
    """A started intake; each of its forms is submitted by a new browser."""

    def __init__(self, store, service, clinic, rulebook="nociplastic"):
        self.id, secret = create_link(store, clinic, rulebook)
        self.service, self.base_path = service, f"/intake/{secret}"
        page = bearing(service).get(self.base_path).text
        self.token = re.search(r'name="token" value="([0-9a-f]{64})"', page)[1]
        assert self.submit("", agree="yes") == 303

    def submit(self, page: str, **fields: str) -> int:
        return self.submit_form(page, **fields).status_code

    def submit_form(self, page: str, **fields: str) -> Response:
        fields = {"token": self.token} | fields
        client = bearing(self.service)
        return client.post(self.base_path + page, data=fields, follow_redirects=False)


def test_pages_submitted_at_the_same_time_are_all_saved(store, kept_service, kept_clinic):
    for _ in range(ROUNDS):
        form = StartedIntake(store, kept_service, kept_clinic)

        def leave(number, form=form):
            answers = ANSWERS_BY_PAGE[number]
            step = find_step(next(iter(answers)))
            return form.submit(f"/{step}", intent="later", **build_fields(**answers))

        assert run_concurrently(len(ANSWERS_BY_PAGE), leave) == [303, 303, 303]
        answers = do(store, kept_clinic, drafts.find_draft, form.id).answers
        assert set().union(*ANSWERS_BY_PAGE) <= answers.keys()


def test_a_page_saved_during_submission_is_included_or_refused(store, kept_service, kept_clinic):
    for _ in range(ROUNDS):
        form = StartedIntake(store, kept_service, kept_clinic, "phq4")
        assert form.submit("/1", intent="next", **fill_page(1)) == 303

        def act(number, form=form):
            if number == 0:
                return form.submit_form("/review", intent="send")
            return form.submit_form("/1", intent="next", **fill_page(3))

        places = [response.headers["location"] for response in run_concurrently(2, act)]
        sent_place, page = [
            place.removeprefix(form.base_path).partition("?")[0] for place in places
        ]
        assert (sent_place, page in ("/review", "/sent")) == ("/sent", True)
        screening = do(store, kept_clinic, links.find_link, form.id).screening
        answers = do(store, kept_clinic, screenings.find_screening, screening).answers
        assert answers == dict.fromkeys(PHQ4, 3 if page == "/review" else 1)
        assert do(store, kept_clinic, drafts.find_draft, form.id) is None


class TestALinkClosedInTheMeantime:
    """The link is closed, or bound to another browser, before its lock is acquired."""

    @pytest.mark.parametrize("reason", ["used", "revoked", "bound", "erased"])
    def test_accepts_no_answer(self, store, kept_clinic, reason):
        link_id, secret = create_link(store, kept_clinic, "phq4", kind="once")
        open_link = open_links.find_open_link(store, secret)
        match reason:
            case "used":
                do(store, kept_clinic, open_links.mark_submitted, link_id)
            case "revoked":
                do(store, kept_clinic, links.revoke_link, link_id)
            case "bound":
                do(store, kept_clinic, open_links.bind_holder, link_id, "another browser")
            case "erased":
                do(store, kept_clinic, links.delete_links, [link_id])
        with pytest.raises(NotFoundError):
            do(store, kept_clinic, open_links.lock_link, open_link)

    def test_is_locked_while_it_is_open(self, store, kept_clinic):
        link_id, secret = create_link(store, kept_clinic, "phq4")
        do(store, kept_clinic, drafts.save_draft, link_id, Draft())
        assert (
            do(store, kept_clinic, open_links.lock_link, open_links.find_open_link(store, secret))
            is None
        )
