"""Isolation: a resource of another organisation is answered like a missing one, on every route.

The walk goes over the API's description: an operation without a recipe here makes it fail. That
both are found in the same time is shown without a clock: the database is told the same statements
in the same order.
"""

from typing import Any, NamedTuple

import pytest
from support import builders
from support.builders import fhir_response
from support.callers import audited, calling, statements
from support.contract_document import read_contract
from support.path_resources import (
    KEY_SET,
    SYSTEM,
    UNKNOWN,
    addressed,
    create_resource,
    fill_body,
    parameters_of,
    public_jwk,
    things_of,
)

from api.main import Service

METHODS = [
    ("get", "/v1/screenings/{screening}"),
    ("post", "/v1/screenings/{screening}/amendments"),
    ("post", "/v1/screenings/{screening}/rescore"),
    ("post", "/v1/screenings/{screening}/entered-in-error"),
    ("post", "/v1/screenings/{screening}/acknowledgements"),
    ("get", "/v1/screenings/{screening}/report"),
    ("get", "/v1/screenings/{screening}/report.{suffix}"),
    ("get", "/v1/screenings/{screening}/note"),
    ("get", "/v1/batches/{batch}"),
    ("get", "/v1/batches/{batch}/results"),
    ("get", "/v1/batches/{batch}/results.{suffix}"),
    ("get", "/v1/batches/{batch}/problems"),
    ("get", "/v1/batches/{batch}/summary"),
    ("post", "/v1/batches/{batch}/reports"),
    ("get", "/v1/batches/{batch}/reports/{reports}"),
    ("get", "/v1/batches/{batch}/reports/{reports}/zip"),
    ("post", "/v1/batches/{batch}/cancel"),
    ("delete", "/v1/batches/{batch}"),
    ("get", "/v1/mappings/{mapping}"),
    ("delete", "/v1/mappings/{mapping}"),
    ("delete", "/v1/patients/holds/{hold}"),
    ("post", "/v1/clients/approvals/{approval}"),
    ("post", "/v1/patients/approvals/{approval}"),
    ("get", "/v1/clients/{client}"),
    ("patch", "/v1/clients/{client}"),
    ("post", "/v1/clients/{client}/secrets"),
    ("post", "/v1/clients/{client}/keys"),
    ("post", "/v1/clients/{client}/api-keys"),
    ("put", "/v1/clients/{client}/key-set"),
    ("delete", "/v1/clients/{client}/key-set"),
    ("delete", "/v1/clients/{client}/secrets/{secret}"),
    ("delete", "/v1/clients/{client}/keys/{kid}"),
    ("delete", "/v1/clients/{client}/api-keys/{key}"),
    ("delete", "/v1/links/{link}"),
    ("get", "/fhir/QuestionnaireResponse/{screening}"),
    ("put", "/fhir/QuestionnaireResponse/{screening}"),
    ("patch", "/fhir/QuestionnaireResponse/{screening}"),
    ("post", "/fhir/QuestionnaireResponse/{screening}/$score"),
    ("post", "/fhir/QuestionnaireResponse/{screening}/$extract"),
    ("get", "/fhir/QuestionnaireResponse/{screening}/_history"),
    ("get", "/fhir/QuestionnaireResponse/{screening}/_history/{number}"),
    ("get", "/fhir/Observation/{screening}"),
    ("get", "/fhir/Patient/{patient}"),
    ("get", "/fhir/QuestionnaireResponse/{screening}/$score"),
    ("get", "/fhir/RiskAssessment/{screening}"),
    ("get", "/fhir/DiagnosticReport/{screening}"),
    ("get", "/fhir/Provenance/{screening}"),
    ("get", "/fhir/DocumentReference/{screening}"),
    ("get", "/fhir/Binary/{screening}"),
    ("get", "/fhir/Composition/{screening}"),
    ("get", "/fhir/Composition/{screening}/$document"),
    ("post", "/v1/practitioners/{practitioner}/invitations"),
    ("get", "/v1/practitioners/{practitioner}"),
    ("patch", "/v1/practitioners/{practitioner}"),
    ("post", "/v1/screenings/{screening}/deliveries"),
    ("post", "/v1/screenings/{screening}/deliveries/preview"),
    ("get", "/v1/deliveries/{delivery}"),
    ("post", "/v1/deliveries/{delivery}/resend"),
    ("post", "/v1/deliveries/{delivery}/cancel"),
    ("get", "/v1/destinations/{destination}"),
    ("patch", "/v1/destinations/{destination}"),
    ("delete", "/v1/destinations/{destination}"),
    ("post", "/v1/destinations/{destination}/webhook-secrets"),
    ("get", "/fhir/$export-status/{export}"),
    ("delete", "/fhir/$export-status/{export}"),
    ("get", "/fhir/$export-files/{export_file}"),
    ("get", "/fhir/Subscription/{subscription}"),
    ("delete", "/fhir/Subscription/{subscription}"),
    ("get", "/fhir/Subscription/{subscription}/$status"),
]
BODIES: dict[str, Any] = {
    "/v1/clients/approvals/{approval}": {"decision": "reject"},
    "/v1/patients/approvals/{approval}": {"decision": "reject"},
    "/fhir/QuestionnaireResponse/{screening}": fhir_response(),
    "/v1/screenings/{screening}/amendments": builders.request("MRN-0042", system=SYSTEM),
    "/v1/screenings/{screening}/rescore": {"to": "nociplastic@2.0.0"},
    "/v1/screenings/{screening}/entered-in-error": {"reason": "another patient"},
    "/v1/screenings/{screening}/acknowledgements": {"practitioner": "Dr G", "done": "sent on"},
    "/v1/batches/{batch}/reports": {"destination": UNKNOWN["destination"]},
    "/v1/clients/{client}": {"active": False},
    "/v1/clients/{client}/key-set": KEY_SET,
    "/v1/clients/{client}/keys": {"jwk": public_jwk()},
    "/v1/clients/{client}/api-keys": {"scopes": ["score"]},
    "/v1/practitioners/{practitioner}": {"active": False},
    "/v1/screenings/{screening}/deliveries": {"destination": UNKNOWN["destination"]},
    "/v1/screenings/{screening}/deliveries/preview": {"destination": UNKNOWN["destination"]},
    "/v1/destinations/{destination}": {"active": False},
}
OF_NOBODY = {"/v1/rulebooks/{instrument}/{version}", "/problems/{code}",
             "/v1/rulebooks/{instrument}/{version}/schema",
             "/v1/reports/verify/{sha256}", "/fhir/OperationDefinition/{definition}",
             "/fhir/Questionnaire/{form}", "/fhir/Device/{device}",
             "/fhir/ConceptMap/{concept_map}",
             "/fhir/Questionnaire/{form}/$populate",
             "/fhir/CodeSystem/{code_list}", "/fhir/CodeSystem/{instrument}/{part}",
             "/fhir/ValueSet/{code_list}", "/fhir/ValueSet/{instrument}/{part}",
             "/fhir/Questionnaire/{form}/_history/{version}"}  # fmt: skip
TAKING_BODIES = ("post", "patch", "put")
TAKING_NO_KEY = {"/v1/screenings/{screening}/deliveries/preview"}
"""A preview stores nothing, and refuses an `Idempotency-Key`."""
FHIR_UPDATE = {"If-Match": 'W/"1"'}


FHIR_PATCH = FHIR_UPDATE | {"Content-Type": "application/json-patch+json"}


def list_fhir_headers(method, path) -> dict[str, str]:
    return {"put": FHIR_UPDATE, "patch": FHIR_PATCH}.get(
        method if path.startswith("/fhir") else "", {}
    )


def choose_body(method, path):
    """The body of an operation; a patch has its own."""
    if method == "patch" and path.startswith("/fhir"):
        return [{"op": "add", "path": "/language", "value": "en"}]
    return BODIES.get(path) if method in TAKING_BODIES else None


WITHOUT_ID = {
    ("post", "/v1/score"): "keeps nothing",
    ("post", "/v1/score/report"): "keeps nothing",
    ("post", "/v1/score/report.{suffix}"): "keeps nothing",
    ("post", "/v1/score/note"): "keeps nothing",
    ("post", "/v1/score/batch"): "keeps nothing",
    ("post", "/v1/rescore"): "keeps nothing",
    ("get", "/v1/batches"): "lists",
    ("post", "/v1/batches"): "names",
    ("get", "/v1/screenings"): "lists",
    ("post", "/v1/screenings/search"): "lists",
    ("get", "/v1/clients"): "lists",
    ("get", "/v1/clients/approvals"): "lists",
    ("get", "/v1/patients/approvals"): "lists",
    ("get", "/v1/practitioners"): "lists",
    ("get", "/v1/audit"): "lists",
    ("get", "/v1/organisation"): "lists",
    ("get", "/v1/organisation/forms"): "lists",
    ("get", "/v1/organisation/message-rules"): "lists",
    ("put", "/v1/organisation/message-rules"): "names",
    ("get", "/fhir/$export"): "names",
    ("get", "/fhir/Patient/$export"): "names",
    ("post", "/fhir/Subscription"): "names",
    ("get", "/v1/links"): "lists",
    ("post", "/v1/links"): "names",
    ("put", "/v1/organisation/forms"): "names",
    ("post", "/v1/screenings"): "names",
    ("delete", "/v1/patients"): "names",
    ("post", "/v1/patients/erase"): "names",
    ("post", "/v1/patients/export"): "names",
    ("post", "/v1/patients/holds"): "names",
    ("patch", "/v1/organisation"): "names",
    ("post", "/v1/patients/merge"): "names",
    ("get", "/v1/places"): "lists",
    ("get", "/v1/delivery-profiles"): "lists",
    ("get", "/v1/destinations"): "lists",
    ("get", "/v1/mappings"): "lists",
    ("post", "/v1/mappings"): "names",
    ("post", "/v1/destinations"): "names",
    ("get", "/v1/deliveries"): "lists",
    ("post", "/v1/clients"): "names",
    ("post", "/v1/practitioners"): "names",
    ("post", "/v1/oauth/token"): "proves",
    ("post", "/v1/oauth/introspect"): "proves",
    ("post", "/v1/oauth/revoke"): "proves",
    ("get", "/.well-known/jwks.json"): "open",
    ("get", "/.well-known/oauth-authorization-server"): "open",
    ("get", "/v1/rulebooks"): "open",
    ("post", "/fhir/QuestionnaireResponse/$score"): "keeps nothing",
    ("post", "/fhir/QuestionnaireResponse/$extract"): "keeps nothing",
    ("post", "/fhir/QuestionnaireResponse"): "names",
    ("post", "/fhir"): "names",
    ("put", "/fhir/QuestionnaireResponse"): "names",
    ("get", "/fhir/QuestionnaireResponse"): "lists",
    ("get", "/fhir/Observation"): "lists",
    ("get", "/fhir/RiskAssessment"): "lists",
    ("get", "/fhir/DiagnosticReport"): "lists",
    ("get", "/fhir/Provenance"): "lists",
    ("get", "/fhir/DocumentReference"): "lists",
    ("get", "/fhir/AuditEvent"): "lists",
    ("get", "/fhir/Patient"): "names",
    ("post", "/fhir/Patient/_search"): "names",
    **{
        ("post", f"/fhir/{kind}/_search"): "lists"
        for kind in (
            "QuestionnaireResponse",
            "Observation",
            "RiskAssessment",
            "DiagnosticReport",
            "Provenance",
            "DocumentReference",
            "AuditEvent",
        )
    },
    ("post", "/fhir/Questionnaire/_search"): "open",
    ("post", "/fhir/CodeSystem/_search"): "open",
    ("post", "/fhir/ValueSet/_search"): "open",
    ("get", "/fhir/CodeSystem"): "open",
    ("get", "/fhir/ConceptMap"): "open",
    ("get", "/fhir/OperationDefinition"): "open",
    ("post", "/fhir/OperationDefinition/_search"): "open",
    ("post", "/fhir/ConceptMap/_search"): "open",
    ("get", "/fhir/ValueSet"): "open",
    ("get", "/fhir/metadata"): "open",
    ("get", "/fhir/.well-known/smart-configuration"): "open",
    ("get", "/fhir/Questionnaire"): "open",
    ("get", "/cds-services"): "of EHRs",
    ("post", "/cds-services/{service}"): "of EHRs",
    ("post", "/cds-services/{service}/feedback"): "of EHRs",
    ("get", "/health/live"): "open",
    ("get", "/health/ready"): "open",
    ("get", "/metrics"): "open",
}
NEEDS_TWO_VERSIONS = {("post", "/v1/screenings/{screening}/rescore")}
"""What its owner does with two active versions of a rulebook: tests/api/screenings/test_rescore."""
LISTS = [path for path, kind in WITHOUT_ID.items() if kind == "lists"]
OWN_EACH_TIME = {"x-request-id", "date", "ratelimit"}


class Observation(NamedTuple):
    """All that a caller can observe of an answer, and the statements that it took."""

    status: int
    body: bytes
    headers: dict[str, str]
    statements: list[str]
    audited: int


@pytest.fixture
def foreign_things(other_client, request: pytest.FixtureRequest) -> dict[str, str]:
    """A thing of each kind of another organisation; a batch only where the path is about one."""
    parameters = getattr(request.node, "callspec", None)
    return things_of(other_client, parameters.params.get("path", "") if parameters else "")


@pytest.fixture(scope="module")
def untouched_clinic(kept_service) -> builders.Clinic:
    """Another organisation, which tests only look at."""
    return builders.clinic(kept_service.services.store, "Untouched clinic")


@pytest.fixture(scope="module")
def untouched_things(kept_service, untouched_clinic) -> dict[str, str]:
    """A thing of each kind of that organisation."""
    client = calling(kept_service, untouched_clinic)
    things = things_of(client)
    for path in ("/{export}", "/{export_file}", "/v1/clients/approvals/{approval}"):
        things |= things_of(client, path)
    return things


@pytest.fixture
def ask(kept_service, kept_clinic, kept_client):
    """What our caller sees when it asks."""

    def send_request(method: str, path: str, body: Any = None, **headers: str) -> Observation:
        before = len(audited(kept_service, kept_clinic))
        kept_service.services.store.signing_keys.invalidate_cache()
        kept_service.services.store.signing_keys.list_published_keys()  # cached now
        with statements(kept_service) as statement_list:
            answer = kept_client.request(method, path, json=body, headers=headers)
        rows = len(audited(kept_service, kept_clinic)) - before
        plain = {k: v for k, v in answer.headers.items() if k not in OWN_EACH_TIME}
        body = answer.content.replace(answer.headers["x-request-id"].encode(), b"<request>")
        return Observation(answer.status_code, body, plain, statement_list, rows)

    return send_request


def state(service: Service, clinic: builders.Clinic) -> Any:
    """All that an organisation sees of its own, but for the audit that seeing leaves."""
    client = calling(service, clinic)
    return [
        client.get(path).json()
        for path in ("/v1/screenings?limit=100", "/v1/batches", "/v1/clients", "/v1/practitioners",
                     "/v1/organisation")
    ] + [client.post("/v1/patients/export", json={"reference": "MRN-0042"}).json()]  # fmt: skip


def list_differences(nobodys: Observation, anothers: Observation) -> list[tuple[str, Any, Any]]:
    """Return what tells a resource of another organisation from one that nobody has."""
    return [
        (name, nobodys_value, anothers_value)
        for name, nobodys_value, anothers_value in zip(
            Observation._fields, nobodys, anothers, strict=True
        )
        if nobodys_value != anothers_value
    ]


def test_every_operation_has_a_recipe():
    described = {
        (method, path)
        for path, methods in read_contract()["paths"].items()
        for method in methods
        if path not in OF_NOBODY
    }
    assert described == set(METHODS) | set(WITHOUT_ID)


def test_a_resource_of_another_organisation_is_answered_like_a_missing_one(
    ask, untouched_things, kept_service, untouched_clinic
):
    before = state(kept_service, untouched_clinic)
    outcomes = {}
    for method, path in METHODS:
        body = choose_body(method, path)
        headers = list_fhir_headers(method, path)
        ask(method, addressed(path, UNKNOWN), body, **headers)
        nobodys = ask(method, addressed(path, UNKNOWN), body, **headers)
        anothers = ask(method, addressed(path, untouched_things), body, **headers)
        outcomes[method, path] = (
            nobodys.status,
            nobodys.audited,
            list_differences(nobodys, anothers),
        )
    assert outcomes == dict.fromkeys(METHODS, (404, 1, []))
    assert state(kept_service, untouched_clinic) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        method
        for method in METHODS
        if len(parameters_of(method[1])) == 2 and parameters_of(method[1])[-1] != "suffix"
    ],
    ids=str,
)
def test_a_thing_of_another_organisation_is_no_part_of_ones_own(
    ask, untouched_things, kept_client, method, path
):
    own_things, parameter = things_of(kept_client, path), parameters_of(path)[-1]
    nobodys = ask(method, addressed(path, own_things | {parameter: UNKNOWN[parameter]}))
    anothers = ask(method, addressed(path, own_things | {parameter: untouched_things[parameter]}))
    assert nobodys.status == 404
    assert anothers == nobodys


@pytest.mark.parametrize(
    ("method", "path"),
    [operation for operation in METHODS if operation not in NEEDS_TWO_VERSIONS],
    ids=str,
)
def test_its_owner_finds_it(other_client, foreign_things, method, path):
    body = fill_body(choose_body(method, path), foreign_things)
    response = other_client.request(
        method,
        addressed(path, foreign_things),
        json=body,
        headers=list_fhir_headers(method, path),
    )
    assert response.status_code in (200, 201, 202, 204), response.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (path, body)
        for method, path in METHODS
        if method == "post" and path.startswith("/v1/screenings") and path not in TAKING_NO_KEY
        for body in [BODIES[path]]
    ],
)
def test_a_named_request_for_what_another_has_is_answered_alike(ask, untouched_things, path, body):
    nobodys = ask("post", addressed(path, UNKNOWN), body, **{"Idempotency-Key": "n"})
    anothers = ask("post", addressed(path, untouched_things), body, **{"Idempotency-Key": "n"})
    assert (nobodys.status, anothers) == (404, nobodys)


@pytest.mark.parametrize(("method", "path"), LISTS)
def test_a_list_never_shows_what_another_organisation_has(
    kept_client, untouched_things, untouched_clinic, method, path
):
    request_arguments = {"json": {"patient": "MRN-0042"}} if method == "post" else {}
    if path.endswith("_search"):
        request_arguments = {"data": {"_count": "100"}}
    answer = kept_client.request(method, path, **request_arguments)
    assert answer.status_code == 200
    text = answer.text
    for value in (*untouched_things.values(), *untouched_clinic[:2]):
        assert value not in text


@pytest.mark.usefixtures("foreign_things")
class TestABodyThatNamesWhatAnotherHas:
    def test_does_not_find_their_patient_to_export_or_erase(self, ask):
        for method, path in (("post", "/v1/patients/export"), ("delete", "/v1/patients")):
            nobodys = ask(method, path, {"reference": "of-nobody-1"})
            anothers = ask(method, path, {"reference": "MRN-0042"})
            assert (nobodys.status, anothers) == (404, nobodys)

    def test_does_not_hold_or_release_their_patient(self, kept_client, other_client):
        create_resource(
            kept_client, "/v1/patients/holds", {"reference": "MRN-0042", "reason": "ours"}
        )
        person = {"reference": "MRN-0042"}
        assert other_client.post("/v1/patients/export", json=person).json()["holds"] == []
        assert other_client.request("delete", "/v1/patients", json=person).status_code == 200

    def test_may_use_their_words_for_its_own(self, kept_client, other_client, foreign_things):
        create_resource(
            kept_client, "/v1/screenings", builders.request("MRN-0042", "red_flag", system=SYSTEM)
        )
        patient = {"reference": f"of {foreign_things['client']}", "name": "Dr Grace Example"}
        create_resource(kept_client, "/v1/practitioners", patient)
        kid = {"jwk": public_jwk() | {"kid": foreign_things["kid"]}}
        own = things_of(kept_client)["client"]
        create_resource(kept_client, f"/v1/clients/{own}/keys", kid)
        screenings = other_client.get("/v1/screenings").json()["screenings"]
        assert [item["id"] for item in screenings] == [foreign_things["screening"]]


def test_one_organisation_erasing_a_person_leaves_the_same_number_of_another(
    kept_client, other_client, foreign_things
):
    create_resource(kept_client, "/v1/screenings", builders.request("MRN-0042", system=SYSTEM))
    person = {"reference": "MRN-0042", "system": SYSTEM}
    assert kept_client.request("delete", "/v1/patients", json=person).json()["screenings"] == 1
    assert other_client.get(f"/v1/screenings/{foreign_things['screening']}").status_code == 200
