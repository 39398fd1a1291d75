"""Data-subject rights over HTTP. Scopes and isolation are tested elsewhere."""

import base64
import hashlib

import pytest
from support.builders import request
from support.callers import last_act
from support.path_resources import SYSTEM, create_resource

HERE = "/v1/patients"
PERSON = {"reference": "MRN-0042"}


def keep(client, **patient) -> str:
    return create_resource(client, "/v1/screenings", request(example="red_flag", **patient))[
        "links"
    ]["self"]


def erase(client, body=PERSON):
    return client.request("delete", HERE, json=body)


class TestRefusedInput:
    @pytest.mark.parametrize(
        "body", [{}, {"reference": ""}, {"reference": None}, {"reference": "a", "x": 1}, []]
    )
    def test_a_person_is_named_by_a_reference(self, kept_client, body):
        for response in (
            erase(kept_client, body),
            kept_client.post(f"{HERE}/export", json=body),
            kept_client.post(f"{HERE}/holds", json=body),
        ):
            assert response.status_code == 422

    def test_the_reference_does_not_stand_in_the_address(self, kept_client):
        assert kept_client.delete(f"{HERE}?reference=MRN-0042").status_code in (415, 422)
        assert kept_client.delete(f"{HERE}/MRN-0042").status_code == 404

    def test_an_unknown_patient_is_404(self, kept_client):
        assert erase(kept_client).status_code == 404
        assert kept_client.post(f"{HERE}/export", json=PERSON).status_code == 404

    def test_where_several_systems_number_so_the_system_is_needed(self, kept_client):
        for system in ("urn:a", "urn:b"):
            keep(kept_client, system=system)
        for response in (erase(kept_client), kept_client.post(f"{HERE}/export", json=PERSON)):
            assert (response.status_code, response.json()["type"]) == (409, "/problems/conflict")
        assert erase(kept_client, PERSON | {"system": "urn:a"}).json()["screenings"] == 1

    def test_the_one_without_a_system_is_named_by_null(self, kept_client):
        with_system, without = keep(kept_client, system="urn:a"), keep(kept_client)
        assert erase(kept_client).status_code == 409
        one = PERSON | {"system": None}
        exported = kept_client.post(f"{HERE}/export", json=one).json()
        assert [screening["id"] for screening in exported["screenings"]] == [
            without.rpartition("/")[2]
        ]
        assert erase(kept_client, one).json()["screenings"] == 1
        assert erase(kept_client, one).status_code == 404
        assert kept_client.get(without).status_code == 404
        assert kept_client.get(with_system).status_code == 200


class TestErasing:
    def test_all_of_a_person_goes_and_all_of_others_stays(
        self, kept_client, kept_service, kept_clinic
    ):
        here = keep(kept_client)
        create_resource(kept_client, f"{here}/acknowledgements", {"practitioner": "G", "done": "x"})
        amended = create_resource(kept_client, f"{here}/amendments", request())["links"]["self"]
        assert kept_client.get(f"{amended}/note").status_code == 200
        other = create_resource(kept_client, "/v1/screenings", request("OTHER"))["links"]["self"]
        response = erase(kept_client)
        assert response.json() == {
            "screenings": 2,
            "reports": 1,
            "acknowledgements": 2,  # the amendment keeps what was done
            "deliveries": 0,
            "links": 0,
            "response_drafts": 0,
            "batches": 0,
        }
        action, _, kind, target = last_act(kept_service, kept_clinic)
        assert (action, kind, target) == ("erase", "patient", "")
        for path in (here, amended, f"{amended}/note", f"{amended}/report"):
            assert kept_client.get(path).status_code == 404
        assert kept_client.get(other).status_code == 200

    def test_the_answer_to_a_named_request_goes_too(self, kept_client):
        name = {"Idempotency-Key": "a"}
        first = create_resource(kept_client, "/v1/screenings", request(), **name)
        erase(kept_client)
        again = create_resource(kept_client, "/v1/screenings", request(), **name)
        assert again["id"] != first["id"]

    def test_a_hold_keeps_it_until_it_is_released(self, kept_client):
        here = keep(kept_client)
        hold = create_resource(kept_client, f"{HERE}/holds", PERSON | {"reason": "a court"})
        refusal = erase(kept_client)
        assert (refusal.status_code, refusal.json()["type"]) == (409, "/problems/legal_hold")
        assert kept_client.get(here).status_code == 200
        assert kept_client.delete(f"{HERE}/holds/{hold['id']}").status_code == 204
        assert kept_client.delete(f"{HERE}/holds/{hold['id']}").status_code == 404
        assert erase(kept_client).status_code == 200

    @pytest.mark.parametrize("screened", [True, False])
    def test_the_reason_of_a_hold_goes_too_and_that_of_another_stays(self, kept_client, screened):
        first, again, beside = (
            (PERSON | {"reason": "a court"}, {"Idempotency-Key": "a"}),
            (PERSON | {"reason": "another court"}, {"Idempotency-Key": "a"}),
            ({"reference": "OTHER", "reason": "a court"}, {"Idempotency-Key": "b"}),
        )
        if screened:
            keep(kept_client)
        hold, other = (create_resource(kept_client, f"{HERE}/holds", item[0], **item[1])
                       for item in (first, beside))  # fmt: skip
        assert kept_client.delete(f"{HERE}/holds/{hold['id']}").status_code == 204
        assert erase(kept_client).status_code == 200
        assert create_resource(kept_client, f"{HERE}/holds", beside[0], **beside[1]) == other
        new = create_resource(kept_client, f"{HERE}/holds", again[0], **again[1])
        assert (new["id"] != hold["id"], new["reason"]) == (True, "another court")


class TestExporting:
    def test_it_holds_screenings_reports_and_holds_whole(self, kept_client):
        here = keep(kept_client, system=SYSTEM, name="Ada Example")
        note = kept_client.get(f"{here}/note").content
        pdf = kept_client.get(f"{here}/report").content
        hold = create_resource(kept_client, f"{HERE}/holds", PERSON | {"reason": "a court"})
        patient_export = kept_client.post(f"{HERE}/export", json=PERSON | {"system": SYSTEM}).json()
        (screening,) = patient_export["screenings"]
        stored_screening = kept_client.get(here).json()
        assert screening == {name: stored_screening[name] for name in screening}
        contents = {
            base64.b64decode(text_part["content"]) for text_part in patient_export["reports"]
        }
        assert contents == {note, pdf}
        assert {text_part["sha256"] for text_part in patient_export["reports"]} == {
            hashlib.sha256(content).hexdigest() for content in contents
        }
        assert kept_client.post(f"{HERE}/export", json=PERSON).json()["holds"] == [hold]

    def test_it_is_audited_without_the_reference(self, kept_client, kept_service, kept_clinic):
        keep(kept_client)
        kept_client.post(f"{HERE}/export", json=PERSON)
        assert last_act(kept_service, kept_clinic) == ("export", "ok", "patient", "")
        assert "MRN-0042" not in kept_client.get("/v1/audit").text
