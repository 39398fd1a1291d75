"""Several forms of one link at the same time: what was taken is kept, or it is refused."""

import re

import pytest
from support.browser.form_patients import link_of
from support.builders import at_once, do
from support.callers import bearing

from api.http.rate_limit import RateLimiter
from api.problems import Problem
from api.store.forms import drafts, links
from api.store.screenings import screenings
from schemas.links import Draft

PHQ4 = ("phq4_nervous", "phq4_worrying", "phq4_interest", "phq4_down")
PAGES = (
    {"q0": "44", "q1": "60", "q2": "no", "q3": "no"},
    {"q52": "none"},
    {"q9": "no"},
)
ANSWERED = (
    {"age_years", "pain_duration_months"},
    {"rf_spine_and_nerves"},
    {"pain_moves_or_spreads"},
)
ROUNDS = 8


@pytest.fixture
def store(kept_service):
    kept_service.state.limiter = RateLimiter(lambda: 0.0)
    return kept_service.state.store


def marked(option: int) -> dict[str, str]:
    """The page of the PHQ-4, each question with this option."""
    return {f"q{n}": f"n{option}" for n in range(4)}


class Form:
    """A link that was begun, and its forms, each sent by a browser of its own."""

    def __init__(self, store, service, clinic, rulebook="nociplastic"):
        self.id, secret = link_of(store, clinic, rulebook)
        self.service_url, self.here = service, f"/intake/{secret}"
        page = bearing(service).get(self.here).text
        self.token = re.search(r'name="token" value="([0-9a-f]{64})"', page)[1]
        assert self.send("", agree="yes") == 303

    def send(self, page: str, **fields: str) -> int:
        fields = {"token": self.token} | fields
        client = bearing(self.service_url)
        return client.post(self.here + page, data=fields, follow_redirects=False).status_code


def test_pages_that_are_sent_at_once_are_all_kept(store, kept_service, kept_clinic):
    for _ in range(ROUNDS):
        form = Form(store, kept_service, kept_clinic)

        def leave(number, form=form):
            return form.send(f"/{number + 1}", to="later", **PAGES[number])

        assert at_once(len(PAGES), leave) == [200, 200, 200]
        kept = do(store, kept_clinic, drafts.find_draft, form.id).answers
        assert set().union(*ANSWERED) <= kept.keys()


def test_a_page_beside_the_sending_is_sent_with_it_or_refused(store, kept_service, kept_clinic):
    for _ in range(ROUNDS):
        form = Form(store, kept_service, kept_clinic, "phq4")
        assert form.send("/1", to="next", **marked(1)) == 303

        def act(number, form=form):
            if number == 0:
                return form.send("/review", to="send")
            return form.send("/1", to="next", **marked(3))

        sent, page = at_once(2, act)
        assert (sent, page in (303, 404)) == (200, True)
        made = do(store, kept_clinic, links.find_link, form.id).screening
        answers = do(store, kept_clinic, screenings.find_screening, made).answers
        assert answers == dict.fromkeys(PHQ4, 3 if page == 303 else 1)
        assert do(store, kept_clinic, drafts.find_draft, form.id) is None


class TestALinkThatWasFoundOpen:
    """And is not any more, or is another browser's, when its turn comes."""

    @pytest.mark.parametrize("closed", ["used", "revoked", "held", "erased"])
    def test_takes_no_answer(self, store, kept_clinic, closed):
        made, secret = link_of(store, kept_clinic, "phq4", kind="once")
        found = links.find_open_link(store, secret)
        match closed:
            case "used":
                do(store, kept_clinic, links.mark_submitted, made)
            case "revoked":
                do(store, kept_clinic, links.revoke_link, made)
            case "held":
                do(store, kept_clinic, links.bind_holder, made, "another browser")
            case "erased":
                do(store, kept_clinic, links.delete_links, [made])
        with pytest.raises(Problem) as refused:
            do(store, kept_clinic, links.lock_link, found)
        assert refused.value.code == "not_found"

    def test_takes_one_while_it_is(self, store, kept_clinic):
        made, secret = link_of(store, kept_clinic, "phq4")
        do(store, kept_clinic, drafts.save_draft, made, Draft())
        assert do(store, kept_clinic, links.lock_link, links.find_open_link(store, secret)) is None
