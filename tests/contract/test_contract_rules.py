"""What holds for the whole contract, as generated clients and linters see it."""

import json
import re

import pytest
from support.builders import clinic, request
from support.callers import bearing, calling
from support.contract_document import EXPANDED, read_contract
from support.path_resources import create_resource

from api.contract.conventions import choose_names

DOCUMENT = EXPANDED
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
RESPONSES = [
    (operation["operationId"], status, response)
    for _, _, operation in OPERATIONS
    for status, response in operation["responses"].items()
]
OF_TRANSPORT = {
    "content-length", "content-type", "content-encoding", "cache-control", "vary", "accept-ranges",
    "content-security-policy", "referrer-policy", "x-content-type-options", "content-disposition",
    "content-language", "last-modified", "content-range", "repr-digest", "date",
    "ratelimit", "ratelimit-policy",
}  # fmt: skip


def test_every_member_of_every_model_is_described():
    members = [
        (model, name, member)
        for model, schema in SCHEMAS.items()
        for name, member in schema.get("properties", {}).items()
    ]
    assert len(members) > 1000
    assert [(model, name) for model, name, member in members if not member.get("description")] == []


def test_every_parameter_is_described_and_every_union_of_intakes_has_a_name():
    parameters = [
        item for _, _, operation in OPERATIONS for item in operation.get("parameters", ())
    ]
    assert len(parameters) > 400
    assert [item["name"] for item in parameters if not item.get("description")] == []
    assert {"Intake", "StorableIntake", "IntakeToRescore"} <= SCHEMAS.keys()


def test_every_response_declares_the_headers_that_it_is_sent_with():
    required = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After",
                "201": "Location"}  # fmt: skip
    lacking = [
        (name, status, header)
        for name, status, response in RESPONSES
        for header in ("X-Request-Id", required.get(status, "X-Request-Id"))
        if header not in response["headers"]
    ]
    assert len(RESPONSES) > 1000
    assert lacking == []


def test_every_tag_is_declared_and_described():
    declared = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    webhooks = [operations["post"] for operations in DOCUMENT["webhooks"].values()]
    operations = [operation for _, _, operation in OPERATIONS] + webhooks
    assert {tag for operation in operations for tag in operation["tags"]} == declared.keys()
    assert all(declared.values())
    assert DOCUMENT["info"]["contact"]["name"]
    assert DOCUMENT["webhooks"]["screening"]["post"]["requestBody"]


def test_a_public_operation_says_so(service):
    public = [(path, op) for method, path, op in OPERATIONS if op["security"] == []]
    assert len(public) > 10
    anonymous = bearing(service)
    for path in ("/health/live", "/v1/rulebooks", "/metrics", "/problems/not_found"):
        assert path in [re.sub(r"\{code\}", "not_found", path) for path, _ in public]
        assert anonymous.get(path).status_code == 200


def test_no_response_has_an_object_without_a_name():
    inline = [
        (name, status, media_type)
        for name, status, response in RESPONSES
        for media_type, content in response.get("content", {}).items()
        if content.get("schema", {}).get("type") == "object"
    ]
    assert inline == []
    assert {"OperationOutcome", "Bundle", "ProblemBody"} <= SCHEMAS.keys()


def test_no_name_of_a_model_changes_with_a_minor_version():
    assert [name for name in SCHEMAS if re.search(r"\d_\d_\d", name)] == []
    assert "NociplasticIntakeV2" in SCHEMAS
    assert choose_names(["A_1_0_0", "A_2_0_0", "B"]) == {"A_1_0_0": "AV1", "A_2_0_0": "AV2"}
    assert choose_names(["A_2_0_0", "A_2_1_0"]) == {"A_2_0_0": "AV2_0", "A_2_1_0": "AV2_1"}


def test_every_reference_leads_to_a_component():
    text = json.dumps(read_contract())
    names = set(re.findall(r'"#/components/(\w+)/([^"]+)"', text))
    assert len(names) > 150
    assert [pair for pair in names if pair[1] not in DOCUMENT["components"][pair[0]]] == []


def test_what_operations_share_stands_once():
    text = json.dumps(read_contract(), ensure_ascii=False, separators=(",", ":"))
    assert len(text.encode()) < 1_050_000
    problems = [
        response
        for operations in read_contract()["paths"].values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        if status >= "400"
    ]
    assert len(problems) > 900
    assert sum("$ref" not in response for response in problems) < 20


@pytest.fixture(scope="module")
def caller(service):
    return calling(service, clinic(service.services.store, "Contract rules"))


def test_every_header_that_is_sent_is_declared(caller, service):
    screening = create_resource(caller, "/v1/screenings", request())["id"]
    calls = [
        ("post", "/v1/screenings", {"json": request(), "headers": {"Idempotency-Key": "a"}}),
        ("get", "/v1/screenings", {}),
        ("get", "/v1/screenings/{screening}", {}),
        ("get", "/v1/screenings/{screening}/report", {"headers": {"Accept": "text/html"}}),
        ("get", "/v1/organisation", {}),
        ("patch", "/v1/organisation", {"json": {"name": "B"}}),
        ("get", "/v1/audit", {"params": {"limit": 1}}),
        ("get", "/v1/rulebooks", {}),
        ("get", "/fhir/metadata", {}),
        ("post", "/v1/clients", {"json": {"name": "A", "scopes": ["score"]}}),
        ("post", "/v1/score", {"json": {}}),
    ]
    for method, path, arguments in calls:
        response = caller.request(method, path.format(screening=screening), **arguments)
        declared = DOCUMENT["paths"][path][method]["responses"][str(response.status_code)]
        names = {name.lower() for name in response.headers} - OF_TRANSPORT
        assert names <= {name.lower() for name in declared["headers"]}, (method, path)
    response = bearing(service).get("/v1/organisation")
    declared = DOCUMENT["paths"]["/v1/organisation"]["get"]["responses"]["401"]["headers"]
    assert "www-authenticate" in response.headers
    assert "WWW-Authenticate" in declared
