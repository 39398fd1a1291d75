"""Patients are found by id and by number, with the number, name and birth date sent."""

import pytest
from support import builders
from support.builders import fhir_response, request
from support.callers import audited, calling

from api.store.patients import merges
from api.store.patients.patient_lookup import PatientSelector

HERE = "/fhir/Patient"
SYSTEM = "urn:oid:1.2.3"
NUMBER = {"system": SYSTEM, "value": "MRN-0042"}


@pytest.fixture
def owner(service):
    return builders.clinic(service.services.store, "Patients")


@pytest.fixture
def caller(service, owner):
    return calling(service, owner)


def store_response(caller, **subject) -> str:
    answer = caller.post("/fhir/QuestionnaireResponse", json=fhir_response(subject=subject))
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def search(caller, **parameters: str) -> list[dict]:
    answer = caller.get(HERE, params=parameters)
    assert answer.status_code == 200, answer.text
    by_form = caller.post(f"{HERE}/_search", data=parameters)
    assert by_form.json() == answer.json()
    return [entry["resource"] for entry in answer.json().get("entry", ())]


class TestIsolation:
    def test_a_patient_needs_a_token_and_a_scope(self, service, owner, anonymous):
        assert anonymous.get(f"{HERE}?identifier=a|b").status_code == 401
        other = calling(service, owner, ["score"])
        assert other.get(f"{HERE}?identifier=a|b").status_code == 403
        assert other.get(f"{HERE}/p1").status_code == 403

    def test_a_patient_of_another_organisation_is_not_found(self, service, caller):
        patient_id = store_response(caller, identifier=NUMBER)
        store_response(caller, reference="Patient/p1")
        elsewhere = calling(service, builders.clinic(service.services.store, "Elsewhere"))
        assert search(elsewhere, identifier=f"{SYSTEM}|MRN-0042") == []
        assert search(elsewhere, _id="p1") == []
        assert elsewhere.get(f"{HERE}/{patient_id}").status_code == 404
        assert elsewhere.get(f"{HERE}/p1").status_code == 404


class TestSearch:
    def test_patients_are_never_listed(self, caller):
        refusal = caller.get(HERE)
        assert refusal.status_code == 422
        assert "identifier" in refusal.json()["issue"][0]["details"]["text"]

    @pytest.mark.parametrize("name", ["birthdate", "name", "family"])
    def test_a_parameter_that_is_not_offered_is_named(self, caller, name):
        refusal = caller.get(HERE, params={"identifier": "a|b", name: "x"})
        assert refusal.status_code == 422
        assert name in refusal.json()["issue"][0]["details"]["text"]

    def test_a_number_finds_its_patient(self, caller):
        first = store_response(caller, identifier=NUMBER)
        store_response(caller, identifier=NUMBER)
        other = store_response(caller, identifier=NUMBER | {"system": "urn:other"})
        without = store_response(caller, identifier={"value": "MRN-0042"})
        patients = search(caller, identifier=f"{SYSTEM}|MRN-0042")
        assert [(it["id"], it["identifier"]) for it in patients] == [(first, [NUMBER])]
        assert [it["id"] for it in search(caller, identifier="|MRN-0042")] == [without]
        assert [it["id"] for it in search(caller, identifier="MRN-0042")] == [first, other, without]
        assert search(caller, identifier=f"{SYSTEM}|MRN-0042", _id=other) == []
        assert search(caller, _id=first) == patients

    def test_a_summary_counts(self, caller):
        store_response(caller, identifier=NUMBER)
        parameters = {"identifier": f"{SYSTEM}|MRN-0042", "_summary": "count"}
        bundle = caller.get(HERE, params=parameters).json()
        assert (bundle["total"], "entry" in bundle) == (1, False)


class TestRead:
    def test_a_relative_reference_of_a_response_is_resolved(self, caller):
        screening_id = store_response(caller, reference="Patient/p1", display="A B")
        reference = caller.get(f"/fhir/Observation/{screening_id}").json()["subject"]["reference"]
        patient = caller.get(f"/fhir/{reference}").json()
        assert (patient["id"], patient["name"]) == ("p1", [{"text": "A B"}])
        assert "identifier" not in patient
        assert caller.get(f"{HERE}/{screening_id}").status_code == 404

    def test_the_address_of_another_server_is_a_link(self, caller):
        patient_id = store_response(caller, reference="https://ehr.example/fhir/Patient/7")
        link = {"other": {"reference": "https://ehr.example/fhir/Patient/7"}, "type": "seealso"}
        assert caller.get(f"{HERE}/{patient_id}").json()["link"] == [link]

    def test_name_and_birth_date_are_those_of_the_latest_screening(self, caller):
        body = request("N-1", system=SYSTEM)
        first = caller.post("/v1/screenings", json=body).json()["id"]
        assert set(caller.get(f"{HERE}/{first}").json()) == {
            "resourceType", "id", "meta", "identifier"
        }  # fmt: skip
        body = request("N-1", system=SYSTEM, name="A B", birth_date="1980-02-03")
        caller.post("/v1/screenings", json=body)
        patient = caller.get(f"{HERE}/{first}").json()
        assert (patient["name"], patient["birthDate"]) == ([{"text": "A B"}], "1980-02-03")

    def test_a_screening_in_error_names_no_patient_unless_all_are_in_error(self, caller):
        body = request("N-1", system=SYSTEM, name="A B", birth_date="1980-02-03")
        first = caller.post("/v1/screenings", json=body).json()["id"]
        body = request("N-1", system=SYSTEM, name="C D", birth_date="1990-02-03")
        wrong = caller.post("/v1/screenings", json=body).json()["id"]
        reason = {"reason": "another person's"}
        assert caller.post(f"/v1/screenings/{wrong}/entered-in-error", json=reason).is_success
        patient = caller.get(f"{HERE}/{first}").json()
        assert (patient["name"], patient["birthDate"]) == ([{"text": "A B"}], "1980-02-03")
        assert caller.post(f"/v1/screenings/{first}/entered-in-error", json=reason).is_success
        assert caller.get(f"{HERE}/{first}").json()["birthDate"] == "1990-02-03"

    def test_after_a_merge_the_retired_number_finds_no_one(self, service, owner, caller):
        first = store_response(caller, identifier=NUMBER)
        numbers = PatientSelector("MRN-0042", SYSTEM), PatientSelector("MRN-9", SYSTEM)
        builders.do(service.services.store, owner, merges.merge_patients, *numbers)
        assert search(caller, identifier=f"{SYSTEM}|MRN-0042") == []
        assert [it["id"] for it in search(caller, identifier=f"{SYSTEM}|MRN-9")] == [first]

    def test_a_read_is_audited_by_the_id_of_a_screening(self, service, owner, caller):
        screening_id = store_response(caller, reference="Patient/p1")
        caller.get(f"{HERE}/p1")
        row = audited(service, owner)[-1]
        assert (row.action, row.kind, row.target) == ("read", "patient", screening_id)
