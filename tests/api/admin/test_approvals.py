"""A second person approves erasure, merges and new clients where an organisation chose so."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import update
from sqlmodel import col
from support.builders import add, do
from support.callers import audited, calling
from support.path_resources import create_resource

from api.store import approvals
from api.store.accounts import clients, organisations
from api.store.accounts.organisations import OPERATOR_ACTOR
from api.store.database.tables import ApprovalRow, ScreeningRow
from api.store.operations.key_rotation import rotate_data_key

PATIENT = {"reference": "MRN-0042"}
REQUESTS = {
    "erasure": ("DELETE", "/v1/patients", PATIENT),
    "merge": ("POST", "/v1/patients/merge", {"retired": PATIENT, "survivor": {"reference": "B"}}),
    "client": ("POST", "/v1/clients", {"name": "New", "scopes": ["score"]}),
}
PATHS = {
    "erasure": "/v1/patients/approvals",
    "merge": "/v1/patients/approvals",
    "client": "/v1/clients/approvals",
}


@pytest.fixture
def colleague(kept_service, kept_clinic, store):
    """Another client of the clinic, with the scopes of an administrator."""
    other = do(store, kept_clinic, clients.add_client, "Colleague", ["score", "admin"])
    here = kept_clinic._replace(client=other.id)
    return calling(kept_service, here, ["score", "admin"])


@pytest.fixture
def cautious(kept_client):
    """A client of an organisation that requires a second person."""
    assert kept_client.patch("/v1/organisation", json={"second_approval": True}).is_success
    return kept_client


def list_state(store, clinic):
    """The clients, and the numbers of the patients that have screenings."""

    def read(work):
        names = [client.name for client in clients.list_clients(work)]
        numbers = {
            number
            for number in ("MRN-0042", "B")
            if work.count(ScreeningRow, work.match_hash(
                ScreeningRow.patient_index, number))
        }  # fmt: skip
        return names, numbers

    return do(store, clinic, read)


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        ("erasure", (["client", "Colleague"], set())),
        ("merge", (["client", "Colleague"], {"B"})),
        ("client", (["client", "Colleague", "New"], {"MRN-0042"})),
    ],
)
def test_a_request_waits_for_another_person_with_the_scope_and_is_carried_out_once(
    kept_service, kept_clinic, store, cautious, colleague, kind, after
):
    add(store, kept_clinic)
    before = list_state(store, kept_clinic)
    method, path, body = REQUESTS[kind]
    response = cautious.request(method, path, json=body)
    assert response.status_code == 202
    approval = response.json()
    assert colleague.get(PATHS[kind]).json() == {"approvals": [approval], "next": None}
    here = f"{PATHS[kind]}/{approval['id']}"
    assert list_state(store, kept_clinic) == before
    assert cautious.post(here, json={"decision": "approve"}).status_code == 409
    elsewhere = PATHS["client" if kind != "client" else "erasure"]
    decision = {"decision": "approve"}
    assert colleague.post(f"{elsewhere}/{approval['id']}", json=decision).status_code == 404
    assert list_state(store, kept_clinic) == before
    assert colleague.post(here, json=decision).json()["outcome"]
    assert list_state(store, kept_clinic) == after
    assert colleague.post(here, json=decision).status_code == 404
    acts = [(row.action, row.actor, row.target) for row in audited(kept_service, kept_clinic)]
    requested = acts.index(("request", kept_clinic.client, approval["id"]))
    assert [act[0] for act in acts[requested:]].count("approve") == 1
    assert kept_clinic.client != next(act[1] for act in acts if act[0] == "approve")


def test_a_rejected_or_expired_request_does_nothing(store, kept_clinic, cautious, colleague):
    add(store, kept_clinic)
    before = list_state(store, kept_clinic)
    ids = [cautious.request("DELETE", "/v1/patients", json=PATIENT).json()["id"] for _ in "ab"]
    path = PATHS["erasure"]
    rejection = colleague.post(f"{path}/{ids[0]}", json={"decision": "reject"})
    assert rejection.json() == {"decision": "reject", "outcome": None}
    with store.write_all_organisations() as session:
        is_second = col(ApprovalRow.id) == ids[1]
        past = datetime(2026, 1, 1, tzinfo=UTC)
        session.execute(update(ApprovalRow).where(is_second).values(expires_at=past))
    assert colleague.get(path).json() == {"approvals": [], "next": None}
    assert colleague.post(f"{path}/{ids[1]}", json={"decision": "approve"}).status_code == 404
    with store.write_all_organisations() as session:
        approvals.delete_expired_approvals(session)
    assert do(store, kept_clinic, lambda work: work.count(ApprovalRow)) == 0
    assert list_state(store, kept_clinic) == before


def test_an_approval_gives_no_scope_that_the_approver_lacks(cautious, colleague):
    body = {"name": "New", "scopes": ["audit:read"]}
    assert colleague.post("/v1/clients", json=body).status_code == 403
    request = cautious.post("/v1/clients", json=body).json()
    here = f"{PATHS['client']}/{request['id']}"
    refusal = colleague.post(here, json={"decision": "approve"})
    assert (refusal.status_code, refusal.json()["type"]) == (403, "/problems/not_grantable")
    assert colleague.get(PATHS["client"]).json() == {"approvals": [request], "next": None}


def test_only_the_operator_ends_the_need_for_approval(store, kept_clinic, cautious):
    change = {"second_approval": False}
    assert cautious.patch("/v1/organisation", json=change).status_code == 409
    assert cautious.get("/v1/organisation").json()["second_approval"] is True
    with store.transaction(OPERATOR_ACTOR._replace(organisation=kept_clinic.organisation)) as work:
        organisations.update_organisation(work, change)
        work.audit("administer", "organisation")
    create_resource(cautious, "/v1/clients", REQUESTS["client"][2])


def test_a_waiting_request_is_encrypted_again_with_a_new_key_and_erased_with_its_patient(
    store, kept_clinic, cautious, colleague
):
    add(store, kept_clinic)
    request = cautious.request("DELETE", "/v1/patients", json=PATIENT).json()
    rotate_data_key(store, kept_clinic.actor)
    assert colleague.get(PATHS["erasure"]).json() == {"approvals": [request], "next": None}
    merge = {"retired": {"reference": "A"}, "survivor": PATIENT}
    assert cautious.post("/v1/patients/merge", json=merge).status_code == 202
    here = f"{PATHS['erasure']}/{request['id']}"
    assert colleague.post(here, json={"decision": "approve"}).is_success
    assert do(store, kept_clinic, lambda work: work.count(ApprovalRow)) == 0
