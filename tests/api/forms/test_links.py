"""Links over HTTP: created, listed with the urgent ones first, revoked; stored only as a hash."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import text
from support import builders
from support.builders import do
from support.callers import audited, calling, last_act
from support.path_resources import create_resource

from api.store.forms import drafts, form_settings, links, open_links
from api.store.operations import housekeeping
from schemas.organisations.form_settings import EmergencyNumber, FormSettings
from schemas.patients.links import Draft
from scoring.catalogue import load_catalogue

LINKS_PATH = "/v1/links"
PERSON = {"reference": "MRN-0042"}


def create_link(client, **more):
    return create_resource(client, LINKS_PATH, {"patient": PERSON} | more)


class TestCreatingALink:
    def test_shows_its_url_and_qr_code_once(self, kept_client, kept_service, kept_clinic):
        link = create_link(kept_client)
        secret = link["url"].rpartition("/intake/")[2]
        assert len(secret) == 43
        assert link["kiosk_url"].endswith(f"/kiosk/{secret}")
        assert link["qr"].startswith("<svg")
        assert "style" not in link["qr"]
        newest = load_catalogue().find_current("nociplastic").name
        assert (link["state"], link["rulebook"]) == ("new", newest)
        assert last_act(kept_service, kept_clinic) == ("create", "ok", "link", link["id"])
        response = kept_client.get(LINKS_PATH)
        assert secret not in response.text
        (line,) = response.json()["links"]
        assert line == {name: link[name] for name in line}

    def test_stores_neither_its_secret_nor_its_patient_in_clear_text(
        self, kept_client, kept_service
    ):
        link = create_link(kept_client, patient={"reference": "CANARY-1"})
        secret = link["url"].rpartition("/")[2]
        with builders.tampering_connection(kept_service.services.store) as connection:
            rows = str(connection.execute(text("SELECT * FROM link")).all())
        assert link["id"] in rows
        assert secret not in rows
        assert "CANARY" not in rows

    @pytest.mark.parametrize(
        ("wrong", "pointer"),
        [
            ({"rulebook": "astrology"}, "/rulebook"),
            ({"kind": "twice"}, "/kind"),
            ({"expires_in_days": 91}, "/expires_in_days"),
            ({"expires_in_days": 0}, "/expires_in_days"),
            ({"language": "xx"}, "/language"),
            ({"ask_again_days": 0}, "/ask_again_days"),
            ({"patient": {}}, "/patient/reference"),
            ({"patient": PERSON | {"birth_date": "9999-12-31"}}, "/patient/birth_date"),
            ({"clinic": "another"}, ""),
        ],
    )
    def test_names_the_faulty_field(self, kept_client, wrong, pointer):
        answer = kept_client.post(LINKS_PATH, json={"patient": PERSON} | wrong)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    def test_asks_again_after_the_days_of_the_link_or_the_organisation(
        self, kept_client, kept_service, kept_clinic
    ):
        store = kept_service.services.store
        ids = [create_link(kept_client)["id"], create_link(kept_client, ask_again_days=30)["id"]]
        do(store, kept_clinic, form_settings.update_form_settings, FormSettings(ask_again_days=10))
        ids.append(create_link(kept_client)["id"])
        for link in ids:
            do(store, kept_clinic, open_links.mark_submitted, link)
        submitted_links = [do(store, kept_clinic, links.find_link, link) for link in ids]
        waits = [link.ask_again_on - link.submitted_at.date() for link in submitted_links]
        assert [wait.days for wait in waits] == [90, 30, 10]


class TestTheList:
    def test_is_paged_newest_first(self, kept_client):
        ids = [create_link(kept_client)["id"] for _ in range(5)]
        listed_ids, here = [], f"{LINKS_PATH}?limit=2"
        while here:
            page = kept_client.get(here).json()
            listed_ids += [link["id"] for link in page["links"]]
            here = page["next"]
        assert listed_ids == ids[::-1]

    def test_shows_unsent_red_flags_first(self, kept_client, kept_service, kept_clinic):
        store = kept_service.services.store
        urgent, calm = create_link(kept_client)["id"], create_link(kept_client)["id"]
        do(store, kept_clinic, drafts.save_draft, urgent, Draft(tier="T0"))
        do(store, kept_clinic, drafts.save_draft, calm, Draft(tier="none"))
        page = kept_client.get(LINKS_PATH).json()
        assert [(link["id"], link["tier"]) for link in page["urgent"]] == [(urgent, "T0")]
        assert [link["state"] for link in page["links"]] == ["started", "started"]


class TestRevoking:
    def test_closes_the_link(self, kept_client, kept_anonymous, kept_service, kept_clinic):
        link = create_link(kept_client)
        path = link["url"].removeprefix("http://127.0.0.1:8000")
        assert kept_anonymous.get(path).status_code == 200
        assert kept_client.delete(f"{LINKS_PATH}/{link['id']}").status_code == 204
        assert last_act(kept_service, kept_clinic) == ("revoke", "ok", "link", link["id"])
        assert kept_anonymous.get(path).status_code == 404
        assert kept_client.get(LINKS_PATH).json()["links"][0]["state"] == "revoked"

    def test_is_refused_after_the_answers_were_sent(self, kept_client, kept_service, kept_clinic):
        link = create_link(kept_client)["id"]
        do(kept_service.services.store, kept_clinic, open_links.mark_submitted, link)
        assert kept_client.delete(f"{LINKS_PATH}/{link}").status_code == 409


class TestDataSubjectRights:
    def test_include_links_and_the_answers_under_them(self, kept_client, kept_service, kept_clinic):
        link = create_link(kept_client)["id"]
        do(kept_service.services.store, kept_clinic, drafts.save_draft, link,
           Draft(answers={"age_years": 44}))  # fmt: skip
        (exported,) = kept_client.post("/v1/patients/export", json=PERSON).json()["links"]
        assert (exported["id"], exported["draft"]["answers"]) == (link, {"age_years": 44})
        erased = kept_client.request("delete", "/v1/patients", json=PERSON)
        assert erased.json() == {
            "screenings": 0,
            "reports": 0,
            "acknowledgements": 0,
            "deliveries": 0,
            "links": 1,
            "response_drafts": 0,
            "batches": 0,
        }
        assert kept_client.get(LINKS_PATH).json()["links"] == []

    def test_are_suspended_by_a_legal_hold(self, kept_client):
        create_link(kept_client)
        create_resource(kept_client, "/v1/patients/holds", PERSON | {"reason": "a court"})
        assert kept_client.request("delete", "/v1/patients", json=PERSON).status_code == 409


def test_a_link_expired_long_ago_is_erased_with_its_draft_unless_it_was_sent(
    kept_client, kept_service, kept_clinic
):
    store = kept_service.services.store
    old, submitted, young = (
        create_link(kept_client, expires_in_days=days)["id"] for days in (1, 1, 60)
    )
    do(store, kept_clinic, drafts.save_draft, old, Draft())
    do(store, kept_clinic, open_links.mark_submitted, submitted)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=32), tick=False):
        assert housekeeping.erase_stale_links(store, kept_clinic.organisation) == 1
        assert housekeeping.erase_stale_links(store, kept_clinic.organisation) == 0
    remaining = [link["id"] for link in kept_client.get(LINKS_PATH).json()["links"]]
    assert sorted(remaining) == sorted([submitted, young])
    assert audited(kept_service, kept_clinic)[-2].action == "purge"


class TestFormSettings:
    def test_are_replaced_as_a_whole_and_returned(self, kept_client, kept_service, kept_clinic):
        here = "/v1/organisation/forms"
        assert kept_client.get(here).json() == FormSettings().model_dump(mode="json")
        new_settings = FormSettings(
            consent={"de": "Ja."},
            emergency_numbers=(EmergencyNumber(label="Notruf", number="112"),),
            adversity_questions=False,
        ).model_dump(mode="json")
        assert kept_client.put(here, json=new_settings).json() == new_settings
        assert last_act(kept_service, kept_clinic)[:3] == ("administer", "ok", "form_settings")
        assert kept_client.get(here).json() == new_settings

    def test_belong_to_one_organisation(self, kept_service, kept_client, other_clinic):
        here = "/v1/organisation/forms"
        kept_client.put(here, json={"privacy": {"en": "Ours."}})
        assert calling(kept_service, other_clinic).get(here).json()["privacy"] == {}

    @pytest.mark.parametrize("number", ["", "call me", "112;ext=1", "<b>", "javascript:1"])
    def test_accept_only_phone_numbers(self, kept_client, number):
        wrong = {"emergency_numbers": [{"label": "x", "number": number}]}
        assert kept_client.put("/v1/organisation/forms", json=wrong).status_code == 422
