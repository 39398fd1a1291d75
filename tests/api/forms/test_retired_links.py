"""Links once a newer version is active: the older one stays answerable, new links use the newer."""

import pytest
from support import builders
from support.callers import bearing, calling
from support.path_resources import create_resource
from support.two_versions import FIRST, SECOND, load_two_versions

from api.store.forms import links
from schemas.patients.patient import KnownPatient
from scoring.catalogue import UnknownRulebookError

PATIENT = {"patient": {"reference": "MRN-1"}}


@pytest.fixture
def clinic(second_service):
    return builders.clinic(second_service.services.store)


@pytest.fixture
def client(second_service, clinic):
    return calling(second_service, clinic)


@pytest.mark.parametrize("name", ["nociplastic", SECOND])
def test_a_new_link_is_of_the_newest_version(client, name):
    assert create_resource(client, "/v1/links", PATIENT | {"rulebook": name})["rulebook"] == SECOND


def test_a_new_link_of_the_older_version_is_refused_with_the_names_in_use(client):
    response = client.post("/v1/links", json=PATIENT | {"rulebook": FIRST})
    assert (response.status_code, response.json()["errors"]) == (
        422,
        [
            {
                "pointer": "/rulebook",
                "code": "not_an_option",
                "detail": f"must be one of phq4, nociplastic, phq4@1.0.0, {SECOND}",
            }
        ],
    )


def test_a_link_of_the_older_version_that_exists_stays_answerable(second_service, clinic):
    request = links.LinkRequest(KnownPatient(reference="MRN-1"), FIRST, 90)
    _, secret = builders.do(second_service.services.store, clinic, links.add_link, request)
    assert bearing(second_service).get(f"/intake/{secret}").status_code == 200


def test_an_intake_of_the_older_version_is_still_scored(client):
    body = builders.request() | {"rulebook": FIRST}
    assert create_resource(client, "/v1/screenings", body)["assessment"]["rulebook"] == FIRST


def test_the_list_of_rulebooks_tells_which_ones_new_links_use(client):
    rulebooks = client.get("/v1/rulebooks").json()["rulebooks"]
    assert {(it["name"], it["status"], it["new_links"]) for it in rulebooks} == {
        (FIRST, "active", False),
        (SECOND, "active", True),
        ("phq4@1.0.0", "active", True),
    }


def test_a_draft_retires_nothing():
    rulebooks = load_two_versions("active", "draft")
    assert rulebooks.find_current(FIRST).name == FIRST
    with pytest.raises(UnknownRulebookError):
        rulebooks.find_current(SECOND)


def test_a_retired_version_is_read_but_not_answered():
    rulebooks = load_two_versions("retired", "active")
    assert rulebooks.find_released(FIRST).name == FIRST
    assert rulebooks.find_released("nociplastic").name == SECOND
    with pytest.raises(UnknownRulebookError):
        rulebooks.find_active(FIRST)
