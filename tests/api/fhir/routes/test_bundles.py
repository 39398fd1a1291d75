"""Batches and transactions at the base: each entry by its own route, all or none."""

import pytest
from support import builders
from support.builders import FHIR, fhir_response
from support.callers import audited, bearing, calling, last_act

BASE = "/fhir"
NUMBER = {"system": "urn:oid:1.2.3", "value": "MRN-0042"}


def entry(method: str, url: str, resource: dict | None = None, **conditions: str) -> dict:
    request = {"method": method, "url": url, **conditions}
    return {"request": request} | ({"resource": resource} if resource else {})


def bundle(kind: str, *entries: dict) -> dict:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def build_named_response(value: str, **more) -> dict:
    identifier = {"system": "urn:oid:1.2.3.4", "value": value}
    return fhir_response() | {"identifier": identifier} | more


def statuses(answer) -> list[int]:
    return [int(it["response"]["status"].partition(" ")[0]) for it in answer.json()["entry"]]


def count_found(client, value: str) -> int:
    query = f"identifier=urn:oid:1.2.3.4|{value}&_summary=count"
    return client.get(f"/fhir/QuestionnaireResponse?{query}").json()["total"]


@pytest.fixture(scope="module")
def clinic(service):
    return builders.clinic(service.services.store, "Bundles")


@pytest.fixture(scope="module")
def caller(service, clinic):
    return calling(service, clinic)


class TestBatch:
    def test_each_entry_is_answered_as_its_own_request_would_be(self, caller):
        once = {"ifNoneExist": "identifier=urn:oid:1.2.3.4|batch-1"}
        create = entry("POST", "QuestionnaireResponse", build_named_response("batch-1"), **once)
        answer = caller.post(BASE, json=bundle(
            "batch", create, create,
            entry("GET", f"{FHIR}/Questionnaire/phq4"),
            entry("GET", "Observation?_count=0&patient:identifier=urn:oid:1.2.3|MRN-0042"),
            entry("GET", "Observation/6f6f6f6f-0000-4000-8000-00000000dead"),
            entry("POST", "QuestionnaireResponse", {"resourceType": "Patient"}),
            entry("DELETE", "QuestionnaireResponse/1"),
            entry("POST", "QuestionnaireResponse/$score", fhir_response()),
        ))  # fmt: skip
        assert statuses(answer) == [201, 200, 200, 200, 404,
            422, 405, 200]  # fmt: skip
        first, again, form, count, missing, *_ = answer.json()["entry"]
        assert first["resource"] == again["resource"]
        assert first["response"]["etag"] == 'W/"1"'
        assert first["response"]["location"].endswith("/_history/1")
        assert first["response"]["lastModified"] == first["resource"]["meta"]["lastUpdated"]
        assert form["resource"] == caller.get("/fhir/Questionnaire/phq4").json()
        assert count["resource"]["total"] >= 1
        assert missing["response"]["outcome"]["issue"][0]["code"] == "not-found"

    def test_an_entry_needs_the_scope_of_its_own_operation(self, service, clinic):
        reader = calling(service, clinic, ["screenings:read"])
        answer = reader.post(BASE, json=bundle(
            "batch", entry("GET", "Observation?_count=0"), entry("GET", "AuditEvent"),
            entry("POST", "QuestionnaireResponse", fhir_response()),
        ))  # fmt: skip
        assert statuses(answer) == [200, 403, 403]
        assert last_act(service, clinic)[:2] == ("refuse", "insufficient_scope")

    def test_a_stranger_is_refused_before_any_entry(self, service):
        anonymous = bearing(service)
        assert anonymous.post(BASE, json=bundle("batch")).status_code == 401

    def test_entries_count_as_requests(self, service):
        from api.store.accounts import clients

        hasty = builders.clinic(service.services.store, "Hasty bundles")
        builders.do(service.services.store, hasty, clients.update_client, hasty.client,
                    {"requests_per_minute": 1})  # fmt: skip
        many = bundle("batch", *[entry("GET", "Observation?_count=0")] * 30)
        answer = calling(service, hasty).post(BASE, json=many)
        assert 429 in statuses(answer)

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            ({"resourceType": "Bundle", "type": "searchset"}, "Bundle.type"),
            (bundle("batch", *[entry("GET", "metadata")] * 101), "Bundle.entry"),
            (bundle("batch", {}), "Bundle.entry[0].request"),
            (bundle("batch", entry("TRACE", "metadata")), "Bundle.entry[0].request.method"),
            *[
                (bundle("batch", entry("GET", url)), "Bundle.entry[0].request.url")
                for url in (
                    "",
                    "/v1/score",
                    "../v1/screenings",
                    "https://else.where/fhir/a",
                    "a//b",
                )
            ],
        ],
    )
    def test_what_is_no_request_is_refused_by_its_place(self, caller, body, place):
        answer = caller.post(BASE, json=body)
        assert answer.status_code == 422
        assert answer.json()["issue"][0]["expression"] == [place]


class TestTransaction:
    def test_stores_all_and_keeps_the_order_of_the_answers(self, caller):
        first = caller.post("/fhir/QuestionnaireResponse", json=build_named_response("kept")).json()
        answer = caller.post(BASE, json=bundle(
            "transaction",
            entry("PUT", f"QuestionnaireResponse/{first['id']}", first | {"status": "amended"},
                  ifMatch='W/"1"'),
            entry("POST", "QuestionnaireResponse", build_named_response("new-1")),
            entry("POST", "QuestionnaireResponse", build_named_response("new-2"),
                  ifNoneExist="identifier=urn:oid:1.2.3.4|new-2"),
        ))  # fmt: skip
        assert answer.json()["type"] == "transaction-response", answer.text
        assert statuses(answer) == [200, 201, 201]
        assert answer.json()["entry"][0]["response"]["etag"] == 'W/"2"'

    @pytest.mark.parametrize(
        ("bad", "status", "place"),
        [
            (entry("POST", "QuestionnaireResponse", build_named_response("none", status="stopped")),
             422,
             "Bundle.entry[1].resource.status"),
            (entry("POST", "QuestionnaireResponse", build_named_response("none")), 409,
             "Bundle.entry[1].resource.identifier"),
            (entry("GET", "Observation"), 422, "Bundle.entry[1].request"),
            (entry("PUT", "QuestionnaireResponse/6f6f6f6f-0000-4000-8000-00000000dead",
                   fhir_response(), ifMatch='W/"1"'), 404, None),
        ],
    )  # fmt: skip
    def test_stores_none_if_one_fails(self, service, clinic, caller, bad, status, place):
        before = len(audited(service, clinic))
        good = entry("POST", "QuestionnaireResponse", build_named_response("none"))
        answer = caller.post(BASE, json=bundle("transaction", good, bad))
        assert answer.status_code == status, answer.text
        assert answer.json()["issue"][0].get("expression") == (place and [place])
        assert count_found(caller, "none") == 0
        acts = [row.action for row in audited(service, clinic)[before:]]
        assert acts == ["refuse", "list"]

    def test_a_reader_may_send_none(self, service, clinic):
        reader = calling(service, clinic, ["screenings:read"])
        body = bundle(
            "transaction", entry("POST", "QuestionnaireResponse", build_named_response("never"))
        )
        assert reader.post(BASE, json=body).status_code == 403

    def test_a_conditional_reference_names_the_patient(self, caller):
        subject = {"reference": "Patient?identifier=urn:oid:1.2.3%7CMRN-7", "display": "A"}
        response = build_named_response("conditional", subject=subject)
        body = bundle("transaction", entry("POST", "QuestionnaireResponse", response))
        (answer,) = caller.post(BASE, json=body).json()["entry"]
        assert answer["resource"]["subject"] == {
            "type": "Patient", "display": "A",
            "identifier": {"system": "urn:oid:1.2.3", "value": "MRN-7"},
        }  # fmt: skip
