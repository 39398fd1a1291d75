"""The page of a patient: all screenings over time, and how a patient is found."""

import re
from html import unescape

import pytest
from support import builders
from support.browser.form_patients import create_link
from support.browser.page_cases import PEG_SCORES, build_trend
from support.browser.practitioners import submit_form
from support.builders import do
from support.path_resources import create_resource
from support.second_release import SECOND

from api.store.forms import links
from api.store.patients import patient_search

HERE = "/v1/screenings"


@pytest.fixture
def store(second_service):
    return second_service.services.store


@pytest.fixture
def trend(client):
    """Three screenings of one patient, oldest first."""
    return [create_resource(client, HERE, intake) for intake in build_trend()]


def read(desk, screening: dict) -> str:
    response = desk.get(f"/desk/screenings/{screening['id']}/patient")
    assert response.status_code == 200, response.text
    return unescape(response.text)


def find_chart(text: str, heading: str) -> str:
    return text.partition(f"<h3>{heading}</h3>")[2].partition("</section>")[0]


class TestTheCourse:
    def test_has_each_score_in_order_and_marks_a_meaningful_fall(self, desk, trend):
        chart = find_chart(read(desk, trend[0]), "PEG")
        assert re.findall(r"<b>([\d.]+)</b></li>", chart) == PEG_SCORES
        assert "Down 56 %" in chart
        assert "A meaningful change" in chart
        assert chart.count('class="joined"') == 2

    def test_marks_no_fall_below_the_published_one(self, client, desk):
        first, second, _ = build_trend("MRN-0099")
        screenings = [create_resource(client, HERE, intake) for intake in (first, second)]
        chart = find_chart(read(desk, screenings[0]), "PEG")
        assert "Down 20 %" in chart
        assert "A meaningful change" not in chart

    @pytest.mark.parametrize(
        ("before", "after", "percent", "is_meaningful"),
        [((7, 7, 6), (5, 5, 4), 30, True), ((6, 6, 5), (4, 4, 4), 29, False)],
    )
    def test_computes_a_fall_from_unrounded_scores(
        self, client, desk, before, after, percent, is_meaningful
    ):
        first, second, _ = build_trend("MRN-0098")
        names = ("peg_pain", "peg_enjoyment", "peg_activity")
        first["answers"] |= dict(zip(names, before, strict=True))
        second["answers"] |= dict(zip(names, after, strict=True))
        screenings = [create_resource(client, HERE, intake) for intake in (first, second)]
        chart = find_chart(read(desk, screenings[0]), "PEG")
        assert f"Down {percent} %" in chart
        assert ("A meaningful change" in chart) is is_meaningful

    def test_joins_no_screenings_of_different_versions(self, client, desk, trend):
        assert find_chart(read(desk, trend[0]), "Predominance").count('class="joined"') == 2
        create_resource(client, trend[1]["links"]["rescore"], {"to": SECOND.name})
        text = read(desk, trend[0])
        assert find_chart(text, "Predominance").count('class="joined"') == 2
        assert "Each version of the rulebook has a line of its own" in text
        create_resource(client, trend[2]["links"]["rescore"], {"to": SECOND.name})
        text = read(desk, trend[0])
        first, _, second = find_chart(text, "Predominance").partition('<g class="line-1">')
        assert [part.count('class="joined"') for part in (first, second)] == [2, 0]
        assert [part.count('class="range"') for part in (first, second)] == [3, 2]
        assert re.findall(r"<b>([\d.]+)</b></li>", find_chart(text, "PEG")) == PEG_SCORES

    def test_lists_the_newest_first_and_only_those_of_the_same_number_and_system(
        self, client, desk, trend
    ):
        other = build_trend()[0] | {"patient": {"reference": "MRN-0042", "system": "urn:other"}}
        stranger = create_resource(client, HERE, other)
        text = read(desk, trend[0])
        ids = re.findall(r'<h3><a href="/desk/screenings/([^"]+)">', text)
        assert ids == [screening["id"] for screening in reversed(trend)]
        assert stranger["id"] not in text

    def test_says_when_the_next_screening_is_due(self, store, clinic, desk, trend):
        assert "18 February 2027" in read(desk, trend[0])
        link, _ = create_link(store, clinic, reference="MRN-0042")
        assert "Open link" in read(desk, trend[0])
        do(store, clinic, links.revoke_link, link)
        assert "Open link" not in read(desk, trend[0])

    def test_of_another_organisation_is_not_found(self, second_service, desk):
        store = second_service.services.store
        foreign = builders.add(store, builders.clinic(store))
        assert desk.get(f"/desk/screenings/{foreign.id}/patient").status_code == 404

    def test_starts_a_link_for_the_same_patient(self, desk, trend):
        text = desk.get(f"/desk/links/new?for={trend[0]['id']}").text
        assert 'value="MRN-0042"' in text
        assert 'value="Ada Example"' in text


class TestTheSearch:
    @pytest.mark.parametrize("words", ["mrn-00", "ADA", "example ada", "0042"])
    def test_finds_any_part_in_any_case(self, desk, trend, words):
        text = submit_form(desk, "/desk", "/desk/find", patient=words).text
        assert [it["id"] in text for it in trend] == [True] * 3
        assert "3 screenings found" in text

    @pytest.mark.usefixtures("trend")
    def test_finds_nothing_else_and_puts_no_name_into_an_address(self, desk):
        token = re.search(r'name="token" value="(\w+)"', desk.get("/desk").text)[1]
        response = desk.post("/desk/find", data={"token": token, "patient": "Ada"})
        assert response.status_code == 303
        assert "Ada" not in response.headers["location"]
        text = submit_form(desk, "/desk", "/desk/find", patient="ada lovelace").text
        assert "No matches" in text

    def test_pages_through_more_than_a_page(self, store, clinic, desk):
        for number in range(26):
            builders.add(store, clinic, f"MRN-3{number:03}", name="Zoë Sample")
        text = submit_form(desk, "/desk", "/desk/find", patient="zoe").text
        assert text.count('<td class="first-cell">') == 25
        following = re.search(r'href="(/desk/found\?search=[^"]+)"', text)[1]
        assert desk.get(following).text.count('<td class="first-cell">') == 1
        assert desk.get("/desk/found?search=x.y").status_code == 422

    def test_is_without_accents_and_case(self):
        assert patient_search.fold_text("ÖZGÜR Straße") == "ozgur strasse"
