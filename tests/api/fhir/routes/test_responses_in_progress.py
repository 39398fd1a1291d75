"""Responses in progress: drafts without a score, until they are completed."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select
from support import builders
from support.builders import CANONICAL, FHIR, fhir_response
from support.callers import calling

from api.security.scopes import SCOPES
from api.store.accounts import clients
from api.store.database.tables import ResponseDraftRow
from api.store.operations import housekeeping
from api.store.patients import data_subject_rights, legal_holds, merges
from api.store.patients.patient_lookup import PatientSelector

HERE = "/fhir/QuestionnaireResponse"
RANGE = f"{CANONICAL}/StructureDefinition/nociscreen-attainable-range"
RED_FLAG = f"{CANONICAL}/StructureDefinition/nociscreen-red-flag-tier"
IDENTIFIED = {"identifier": {"system": "urn:oid:1.2.3.4", "value": "draft"}}
PATCH = {"Content-Type": "application/json-patch+json"}


@pytest.fixture
def owner(service):
    return builders.clinic(service.services.store, "Drafts")


@pytest.fixture
def caller(service, owner):
    return calling(service, owner)


def build_draft(**more) -> dict:
    """Return a response to PHQ-4 with one of its four answers."""
    item = {"linkId": "phq4_nervous", "answer": [{"valueInteger": 2}]}
    return fhir_response() | {"status": "in-progress", "item": [item]} | more


def create(caller, **more):
    answer = caller.post(HERE, json=build_draft(**more))
    assert answer.status_code == 201, answer.text
    return answer


def update_draft(caller, body: dict, version: str, **more):
    headers = {"If-Match": f'W/"{version}"'}
    return caller.put(f"{HERE}/{body['id']}", json=body | more, headers=headers)


def read_range(resource: dict) -> tuple[float, float]:
    (extension,) = [it for it in resource["extension"] if it["url"] == RANGE]
    limits = next(it["valueRange"] for it in extension["extension"] if it["url"] == "range")
    return limits["low"]["value"], limits["high"]["value"]


class TestWhatIsKept:
    def test_a_draft_is_returned_as_sent_with_its_attainable_range(self, caller):
        body = build_draft(language="en", basedOn=[{"reference": "ServiceRequest/1"}])
        answer = caller.post(HERE, json=body)
        draft = answer.json()
        assert (answer.status_code, answer.headers["etag"]) == (201, 'W/"draft-1"')
        assert {name: draft[name] for name in body} == body
        assert read_range(draft) == (2, 11)
        assert caller.get(f"{HERE}/{draft['id']}").json() == draft

    def test_the_range_narrows_with_each_answer(self, caller):
        draft = create(caller).json()
        items = [
            {"linkId": name, "answer": [{"valueInteger": 1}]}
            for name in ("phq4_nervous", "phq4_worrying", "phq4_down")
        ]
        changed = update_draft(caller, draft, "draft-1", item=items)
        assert (changed.status_code, changed.headers["etag"]) == (200, 'W/"draft-2"')
        assert read_range(changed.json()) == (3, 6)

    def test_a_version_left_open_is_named(self, caller):
        draft = create(caller, questionnaire=f"{FHIR}/Questionnaire/phq4").json()
        assert draft["questionnaire"] == f"{CANONICAL}/Questionnaire/phq4|1.0.0"

    def test_a_red_flag_is_returned_and_warned_of(self, caller):
        system = f"{FHIR}/CodeSystem/nociplastic/rf_spine_and_nerves"
        coding = {"system": system, "code": "saddle_numbness"}
        item = {"linkId": "rf_spine_and_nerves", "answer": [{"valueCoding": coding}]}
        more = {"questionnaire": f"{FHIR}/Questionnaire/nociplastic|2.0.0", "item": [item]}
        headers = {"Prefer": "return=OperationOutcome"}
        outcome = caller.post(HERE, json=build_draft(**more), headers=headers).json()
        assert [it["severity"] for it in outcome["issue"]] == ["information", "warning"]
        draft = create(caller, **more).json()
        assert draft["extension"] == [{"url": RED_FLAG, "valueCode": "T0"}]

    def test_an_unchanged_draft_stays_at_its_version(self, caller):
        draft = create(caller).json()
        assert update_draft(caller, draft, "draft-1").json() == draft

    def test_a_patch_changes_a_draft(self, caller):
        draft = create(caller).json()
        operations = [{"op": "replace", "path": "/authored", "value": "2026-11-21"}]
        headers = PATCH | {"If-Match": 'W/"draft-1"'}
        address = f"{HERE}/{draft['id']}"
        changed = caller.patch(address, content=json.dumps(operations), headers=headers)
        assert changed.json()["authored"] == "2026-11-21"
        assert changed.headers["etag"] == 'W/"draft-2"'


class TestCompletion:
    def test_a_completed_draft_becomes_a_screening_with_its_id(self, caller):
        draft = create(caller, **IDENTIFIED).json()
        complete = update_draft(caller, draft, "draft-1", status="completed")
        assert (complete.status_code, complete.headers["etag"]) == (200, 'W/"1"'), complete.text
        assert complete.json()["id"] == draft["id"]
        assert "extension" not in complete.json()
        assert caller.get(f"/fhir/Observation/{draft['id']}").status_code == 200
        assert search(caller, "status=in-progress") == []
        assert search(caller, "status=completed") == [draft["id"]]

    def test_a_conditional_update_changes_then_completes_the_draft(self, caller):
        parameters = {"identifier": "urn:oid:1.2.3.4|draft"}
        first = caller.put(HERE, params=parameters, json=build_draft(**IDENTIFIED))
        assert (first.status_code, first.headers["etag"]) == (201, 'W/"draft-1"')
        body = build_draft(**IDENTIFIED, authored="2026-11-21")
        second = caller.put(HERE, params=parameters, json=body)
        assert (second.status_code, second.headers["etag"]) == (200, 'W/"draft-2"')
        third = caller.put(HERE, params=parameters, json=body | {"status": "completed"})
        assert (third.status_code, third.headers["etag"]) == (200, 'W/"1"')

    def test_a_completed_response_is_not_opened_again(self, caller):
        completed = caller.post(HERE, json=fhir_response()).json()
        refusal = update_draft(caller, completed, "1", status="in-progress")
        assert refusal.status_code == 422
        assert refusal.json()["issue"][0]["expression"] == ["QuestionnaireResponse.status"]

    @pytest.mark.parametrize(("version", "status_code"), [("draft-2", 412), ("1", 412)])
    def test_another_version_is_refused(self, caller, version, status_code):
        draft = create(caller).json()
        assert update_draft(caller, draft, version, status="completed").status_code == status_code

    def test_a_draft_in_error_is_erased(self, caller):
        draft = create(caller).json()
        answer = update_draft(caller, draft, "draft-1", status="entered-in-error")
        assert (answer.status_code, answer.json()["status"]) == (200, "entered-in-error")
        assert caller.get(f"{HERE}/{draft['id']}").status_code == 404


def add_client(store, owner) -> builders.Clinic:
    """Return the same organisation with another client."""
    client = builders.do(store, owner, clients.add_client, "other", SCOPES)
    return owner._replace(client=client.id)


class TestWhereADraftIsNot:
    def test_a_draft_is_no_result(self, caller):
        draft_id = create(caller).json()["id"]
        for name in ("Observation", "RiskAssessment", "Provenance", "DiagnosticReport"):
            assert caller.get(f"/fhir/{name}/{draft_id}").status_code == 404
        assert caller.get(f"/v1/screenings/{draft_id}").status_code == 404
        assert caller.get(f"{HERE}/{draft_id}/$score").status_code == 404
        assert search(caller, "") == []
        assert caller.get("/v1/screenings").json()["screenings"] == []

    def test_only_its_client_sees_a_draft(self, service, owner, caller):
        draft = create(caller, **IDENTIFIED).json()
        other = calling(service, add_client(service.services.store, owner))
        assert other.get(f"{HERE}/{draft['id']}").status_code == 404
        assert update_draft(other, draft, "draft-1").status_code == 404
        assert search(other, "status=in-progress") == []
        assert other.post(HERE, json=build_draft(**IDENTIFIED)).status_code == 409
        parameters = {"identifier": "urn:oid:1.2.3.4|draft"}
        conflict = other.put(HERE, params=parameters, json=fhir_response() | IDENTIFIED)
        assert conflict.status_code == 409

    def test_a_used_identifier_is_refused_alike_for_drafts_and_stored_responses(
        self, service, owner, caller
    ):
        create(caller, **IDENTIFIED)
        identified = {"identifier": {"system": "urn:oid:1.2.3.4", "value": "stored"}}
        assert caller.post(HERE, json=fhir_response() | identified).status_code == 201
        other = calling(service, add_client(service.services.store, owner))
        answers = [other.post(HERE, json=build_draft(**it)) for it in (IDENTIFIED, identified)]
        assert [answer.status_code for answer in answers] == [409, 409]
        of_draft, of_stored = (answer.json()["issue"][0] for answer in answers)
        assert of_draft["details"] == of_stored["details"]
        assert of_draft["details"] == {"text": "is already used by a stored response"}

    def test_another_organisation_has_its_own_draft_of_this_identifier(self, service, caller):
        create(caller, **IDENTIFIED)
        elsewhere = calling(service, builders.clinic(service.services.store, "Elsewhere"))
        assert search(elsewhere, "status=in-progress") == []
        create(elsewhere, **IDENTIFIED)

    def test_a_search_by_its_status_finds_a_draft(self, caller):
        draft_id = create(caller, **IDENTIFIED).json()["id"]
        stored_id = caller.post(HERE, json=fhir_response()).json()["id"]
        assert search(caller, "status=in-progress,completed") == [draft_id, stored_id]
        number = "patient:identifier=urn:oid:1.2.3|MRN-0042"
        assert search(caller, f"status=in-progress&{number}") == [draft_id]
        assert search(caller, "status=in-progress&patient=MRN-0042") == []
        assert search(caller, "status=in-progress&identifier=urn:oid:1.2.3.4|draft") == [draft_id]
        assert search(caller, "status=in-progress&identifier=urn:oid:1.2.3.4|other") == []
        assert search(caller, "status=in-progress&questionnaire=Questionnaire/phq4") == [draft_id]
        assert search(caller, "status=in-progress&questionnaire=Questionnaire/other") == []

    def test_pages_of_drafts_follow_each_other(self, caller):
        ids = [create(caller).json()["id"] for _ in range(3)]
        page = caller.get(HERE, params={"status": "in-progress", "_count": 2}).json()
        listed_ids = [entry["resource"]["id"] for entry in page["entry"]]
        following = next(it["url"] for it in page["link"] if it["relation"] == "next")
        rest = caller.get(following.removeprefix(FHIR.removesuffix("/fhir"))).json()
        listed_ids += [entry["resource"]["id"] for entry in rest["entry"]]
        assert listed_ids == ids[::-1]


def search(caller, query: str) -> list[str]:
    answer = caller.get(f"{HERE}?{query}")
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json().get("entry", ())]


class TestRightsOfThePatient:
    PATIENT = PatientSelector("MRN-0042", "urn:oid:1.2.3")

    def test_a_draft_is_exported_held_and_erased(self, service, owner, caller):
        store = service.services.store
        draft_id = create(caller).json()["id"]
        exported = builders.do(store, owner, data_subject_rights.export_patient, self.PATIENT)
        assert [it.id for it in exported.response_drafts] == [draft_id]
        assert json.loads(exported.response_drafts[0].received)["status"] == "in-progress"
        counts = builders.do(store, owner, data_subject_rights.erase_patient, self.PATIENT)
        assert counts.response_drafts == 1
        assert caller.get(f"{HERE}/{draft_id}").status_code == 404

    def test_erasure_deletes_the_answer_under_an_idempotency_key(self, service, owner, caller):
        headers = {"Idempotency-Key": "draft-once"}
        first = caller.post(HERE, json=build_draft(), headers=headers)
        again = caller.post(HERE, json=build_draft(), headers=headers)
        assert again.json() == first.json()
        store = service.services.store
        builders.do(store, owner, data_subject_rights.erase_patient, self.PATIENT)
        assert caller.post(HERE, json=build_draft(), headers=headers).json() != first.json()

    def test_a_merge_moves_a_draft_and_makes_a_version(self, service, owner, caller):
        draft = create(caller).json()
        survivor = PatientSelector("MRN-9", "urn:oid:1.2.3")
        store = service.services.store
        counts = builders.do(store, owner, merges.merge_patients, self.PATIENT, survivor)
        assert counts.response_drafts == 1
        assert update_draft(caller, draft, "draft-1", status="completed").status_code == 412
        moved_draft = caller.get(f"{HERE}/{draft['id']}").json()
        assert moved_draft["subject"]["identifier"]["value"] == "MRN-9"
        complete = update_draft(caller, moved_draft, "draft-2", status="completed")
        assert complete.json()["subject"]["identifier"]["value"] == "MRN-9"

    @pytest.mark.parametrize(
        ("days", "is_held", "left"), [(29, False, 1), (31, False, 0), (31, True, 1)]
    )
    def test_an_old_draft_is_erased_unless_held(self, service, owner, caller, days, is_held, left):
        store = service.services.store
        create(caller)
        if is_held:
            builders.do(store, owner, legal_holds.place_hold, self.PATIENT, "lawsuit")
        with store.write_all_organisations() as session:
            row = session.execute(
                select(ResponseDraftRow).where(
                    ResponseDraftRow.organisation_id == owner.organisation
                )
            ).scalar_one()
            row.changed_at -= timedelta(days=days)
            session.flush()
        housekeeping.erase_stale_drafts(store, owner.organisation)
        assert len(search(caller, "status=in-progress")) == left
