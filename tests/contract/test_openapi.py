"""The contract as files: true to the code, and every example in it really sent."""

import json
from collections import Counter
from functools import cache
from importlib.metadata import version

import pytest
from jsonschema import Draft202012Validator
from support.builders import build_store_settings, clinic
from support.callers import bearing, calling
from support.contract_document import CONTRACT_FOLDER, EXPANDED, read_contract
from support.interop.hospital_issuers import Hospital
from support.path_resources import addressed, fill_body, parameters_of, things_of

from api.cli.openapi_export import find_outdated_files
from api.contract.operation_examples import load_operation_examples
from api.http.bodies.request_body import FORM_MEDIA_TYPE
from api.main import create_app
from api.security.scopes import SCOPES

DOCUMENT = EXPANDED
REQUESTS = sorted((CONTRACT_FOLDER / "examples").glob("*.request.json"))
OPERATIONS = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
TAKES = {"400", "408", "413", "415"}
CONDITIONAL_CREATES = {"update_response_by_identifier"}
DOCUMENTS = {"score_report", "score_report_as", "read_report", "read_report_as",
             "read_binary"}  # pages long  # fmt: skip
OF_RULEBOOKS = (
    "/fhir/metadata",
    "/fhir/.well-known",
    "/fhir/OperationDefinition",
    "/fhir/Questionnaire/",
    "/fhir/CodeSystem/",
    "/fhir/ValueSet/",
    "/fhir/ConceptMap",
    "/fhir/Device/",
)
NAMES = {"instrument": "phq4", "form": "phq4", "version": "1.0.0", "number": "1",
         "definition": "QuestionnaireResponse-score", "code": "invalid_request",
         "service": "nociplastic", "code_list": "phq4-band", "concept_map": "phq4-loinc",
         "part": "band",
         "device": f"nociscreen-{version('nociscreen')}"}  # fmt: skip
BINARY = {
    "application/pdf",
    "application/vnd.apache.parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/zip",
}
NEEDS_TWO_VERSIONS = {"rescore", "rescore_screening"}
"""Answered in the shape of their examples in tests/api/screenings/test_rescore.py."""
MAY_WAIT_FOR_APPROVAL = {"erase_patient", "erase_patient_by_delete", "merge_patients", "add_client"}
"""Answered 202 only where the organisation requires a second person."""
NEEDS_SECOND_PERSON = {"decide_client_approval", "decide_patient_approval"}
"""Answered in tests/api/admin/test_approvals.py, where the organisation requires one."""
NEEDED_QUERIES = {"search_patients": {"identifier": "urn:oid:1.2.3|MRN-0042"}}
"""Parameters of which a request needs one, though none is required."""
NEEDS_HANDSHAKE = {"create_subscription"}
"""Answered in tests/api/deliveries/test_subscriptions.py, where a subscriber listens."""
NO_EXAMPLE = {
    ("create_batch", "application/x-ndjson"),  # the same rows as in CSV
    ("create_batch", "application/json"),
    ("read_batch_results", "application/x-ndjson"),
    ("read_batch_results_as", "application/x-ndjson"),
    ("read_batch_summary", "text/html"),  # tested where it is written
    ("list_screenings", "cursor"),  # a cursor is encrypted afresh each time
    *(
        (f"search_{value}s{how}", "_page")
        for how in ("", "_by_form")
        for value in (  # as above
            "response",
            "observation",
            "risk_assessment",
            "provenance",
            "document_reference",
        )
    ),
    ("read_audit", "application/fhir+ndjson"),  # tested against FHIR where it is made
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    app = create_app(build_store_settings(tmp_path_factory.mktemp("contract")))
    yield app
    app.services.store.close()


@pytest.fixture
def owner(service):
    return clinic(service.services.store)


@pytest.fixture
def client(service, owner):
    return calling(service, owner)


@pytest.fixture(scope="module")
def reader(service):
    """A caller of an organisation whose things tests only read."""
    return calling(service, clinic(service.services.store))


@pytest.fixture(scope="module")
def find_read_things(reader):
    """Things of that organisation, each made once for all paths that name the same."""

    @cache
    def create_things(names: tuple[str, ...], family: str) -> dict[str, str]:
        return things_of(reader, family + "".join(f"/{{{name}}}" for name in names))

    def find_things(path: str) -> dict[str, str]:
        family = "/v1/batches" if "/batches" in path else "/v1"
        return create_things(tuple(parameters_of(path)), family)

    return find_things


def validator(schema: dict) -> Draft202012Validator:
    return Draft202012Validator(schema | {"components": DOCUMENT["components"]})


def success(operation: dict) -> str:
    """The status of the ordinary case."""
    waits = operation["operationId"] in MAY_WAIT_FOR_APPROVAL
    return max(
        response
        for response in operation["responses"]
        if response.startswith("2") and response != "206" and not (waits and response == "202")
    )


def name(operation) -> str:
    return operation[2]["operationId"]


def test_the_committed_contract_is_what_the_code_says():
    assert find_outdated_files(CONTRACT_FOLDER) == []


def test_the_served_document_is_the_committed_one(client):
    assert client.get("/openapi.json").json() == read_contract()


def test_no_two_operations_share_an_id():
    counts = Counter(name(operation) for operation in OPERATIONS)
    assert [value for value, count in counts.items() if count > 1] == []


def test_every_file_of_examples_belongs_to_an_operation():
    assert set(load_operation_examples()) <= {name(operation) for operation in OPERATIONS}


@pytest.mark.parametrize("file", REQUESTS, ids=lambda file: file.name)
def test_every_example_request_gets_its_example_response(client, file):
    request = json.loads(file.read_text())
    expected = json.loads(file.with_name(file.name.replace("request", "response")).read_text())
    response = client.post("/v1/score", json=request)
    assert response.status_code == 200
    assert response.json() == expected
    for path, kind in (("report", "application/pdf"), ("note", "text/plain; charset=utf-8")):
        response = client.post(f"/v1/score/{path}", json=request)
        assert (response.status_code, response.headers["content-type"]) == (200, kind)


def list_examples(operation) -> list[tuple[str, dict, list]]:
    """Where each example of the operation must stand, its schema, and the examples there."""
    _, _, described = operation
    places = [
        (parameter["name"], parameter["schema"], parameter["schema"].get("examples", []))
        for parameter in described.get("parameters", ())
    ]
    answers = [value for status, value in described["responses"].items() if status.startswith("2")]
    for part in [*answers, described.get("requestBody", {})]:
        for kind, content in part.get("content", {}).items():
            if name(operation) not in DOCUMENTS and kind not in BINARY:
                examples = content.get("examples", {}).values()
                places.append((kind, content["schema"], [item["value"] for item in examples]))
    return [place for place in places if (name(operation), place[0]) not in NO_EXAMPLE]


def test_every_operation_has_examples_that_validate():
    examples = {name(operation): list_examples(operation) for operation in OPERATIONS}
    assert [operation for operation, places in examples.items() if not places] == []
    places = [(operation, *place) for operation, its in examples.items() for place in its]
    assert [place[:2] for place in places if not place[3]] == []
    assert [
        (operation, where, error.message)
        for operation, where, schema, values in places
        for value in values
        for error in validator(schema).iter_errors(value)
    ] == []


def test_every_operation_says_what_it_refuses():
    missing = {}
    for operation in OPERATIONS:
        _, path, described = operation
        expected_responses = {"429", "500"}
        if not f"{path}/".startswith(
            ("/v1/rulebooks", "/health/live", "/metrics", "/problems", *OF_RULEBOOKS)
        ):
            expected_responses |= {"503"}
        if "requestBody" in described:
            expected_responses |= TAKES
        if described["security"]:
            expected_responses |= {"401", "403", "422"}
            if "{" in path.replace("{suffix}", ""):
                expected_responses |= {"404"}
        missing[name(operation)] = expected_responses - set(described["responses"])
    assert {operation: statuses for operation, statuses in missing.items() if statuses} == {}


def test_every_guarded_operation_takes_a_token_of_one_scope_or_an_api_key():
    guarded = [item for item in OPERATIONS if item[2]["security"]]
    of_ehrs = [item for item in guarded if item[1].startswith("/cds-services")]
    assert [item[2]["security"] for item in of_ehrs] == [[{"ehr": []}]] * len(of_ehrs)
    bundles = [item for item in guarded if item[1] == "/fhir"]  # each entry has its own scope
    assert [item[2]["security"] for item in bundles] == [[{"token": []}, {"api_key": []}]]
    securities = {
        name(item): item[2]["security"] for item in guarded if item not in [*of_ehrs, *bundles]
    }
    assert len(securities) > 90
    assert [
        operation
        for operation, security in securities.items()
        if security not in [[{"token": [scope]}, {"api_key": []}] for scope in SCOPES]
    ] == []


def test_few_operations_take_a_body_without_credentials():
    open_operations = [
        (method, path) for method, path, described in OPERATIONS if not described["security"]
    ]
    assert [operation for operation in open_operations if operation[0] != "get"] == [
        ("post", "/v1/oauth/token"),
        ("post", "/v1/oauth/introspect"),
        ("post", "/v1/oauth/revoke"),
        ("post", "/fhir/Questionnaire/_search"),
        ("post", "/fhir/OperationDefinition/_search"),
        ("post", "/fhir/CodeSystem/_search"),
        ("post", "/fhir/ValueSet/_search"),
        ("post", "/fhir/ConceptMap/_search"),
    ]


def test_both_ways_to_prove_oneself_are_described():
    schemes = DOCUMENT["components"]["securitySchemes"]
    token, key = schemes["token"], schemes["api_key"]
    assert (token["scheme"], token["bearerFormat"]) == ("bearer", "JWT")
    assert "/v1/oauth/token" in token["description"]
    assert (key["type"], key["in"], key["name"]) == ("apiKey", "header", "X-API-Key")


@pytest.mark.parametrize(
    "operation",
    [
        operation
        for operation in OPERATIONS
        if name(operation) in load_operation_examples()
        and name(operation) not in NEEDS_TWO_VERSIONS | NEEDS_SECOND_PERSON | NEEDS_HANDSHAKE
    ],
    ids=name,
)
def test_every_example_is_answered_in_the_shape_of_its_example(
    service, owner, client, reader, find_read_things, operation
):
    method, path, described = operation
    if method == "get":
        client, things = reader, find_read_things(path) | NAMES
    else:
        things = things_of(client, path) | NAMES
    body, headers = _body(described), _headers(described)
    request_arguments = (
        {"content": body} if isinstance(body, str) else {"json": fill_body(body, things)}
    )
    if FORM_MEDIA_TYPE in described.get("requestBody", {}).get("content", {}):
        request_arguments = {"data": body}
    if isinstance(body, str):
        headers["Content-Type"] = "text/csv"
    if method == "patch" and path.startswith("/fhir"):
        headers["Content-Type"] = "application/json-patch+json"
    if name(operation) in CONDITIONAL_CREATES:
        headers.pop("If-Match")
    queries = {
        parameter["name"]: parameter["schema"]["examples"][0]
        for parameter in described.get("parameters", ())
        if parameter["in"] == "query" and parameter["required"]
    }
    queries |= NEEDED_QUERIES.get(name(operation), {})
    if described.get("security") == [{"ehr": []}]:
        client = _ehr(service, owner, addressed(path, things))
    response = client.request(
        method, addressed(path, things), **request_arguments, headers=headers, params=queries
    ) if "client_secret" not in (body or {}) else bearing(service).post(
        path, data=_body(described) | {"client_id": owner.client, "client_secret": owner.secret}
    )  # fmt: skip
    status = success(described)
    assert str(response.status_code) == status, response.text
    kind = response.headers.get("content-type", "").partition(";")[0]
    content = described["responses"][status].get("content", {})
    if kind == "application/json" and content:
        for example in content[kind]["examples"].values():
            assert shape(response.json()) == shape(example["value"])
    elif content:
        assert kind in content


def test_what_is_not_to_be_kept_is_answered_in_the_shape_of_its_example(client):
    (described,) = (
        operation
        for _, _, operation in OPERATIONS
        if operation["operationId"] == "create_screening"
    )
    body = _body(described)
    response = client.post("/v1/screenings?store=false", json=body)
    example = described["responses"]["200"]["content"]["application/json"]["examples"]["example"]
    assert response.json() == example["value"]


def test_every_question_stands_in_the_document():
    answers = DOCUMENT["components"]["schemas"]["NociplasticAnswersV1"]["properties"]
    assert len(answers) == 69
    assert answers["pain_symmetric"]["description"].startswith("Is the pain in the same place")


def _ehr(service, owner, path: str):
    """An EHR that calls this address."""
    ehr = Hospital(service.services.store, owner, "hooks", scopes=("screenings:read",))
    return bearing(service, ehr.sign_token(ehr.build_claims(aud=f"http://127.0.0.1:8000{path}")))


def _body(described: dict) -> dict | None:
    for content in described.get("requestBody", {}).get("content", {}).values():
        return next(iter(content["examples"].values()))["value"]
    return None


def _headers(described: dict) -> dict[str, str]:
    return {
        parameter["name"]: parameter["schema"]["examples"][0]
        for parameter in described.get("parameters", ())
        if parameter["in"] == "header"
    }


def shape(value):
    """Names and kinds; what may be null, or a list that may be empty, is not compared further."""
    if isinstance(value, dict):
        return {
            key: shape(value)
            for key, value in value.items()
            if value is not None and not isinstance(value, list) and key not in OF_THE_CASE
        }
    return "number" if isinstance(value, int | float) else type(value).__name__


OF_THE_CASE = {"links", "assessment", "patient", "requests_per_minute", "retention_years", "next",
               "replaced_by", "entered_in_error", "replaces", "expires_at", "context",
               "by_status", "by_band", "by_tier", "finished_at", "seconds_left"}  # fmt: skip
