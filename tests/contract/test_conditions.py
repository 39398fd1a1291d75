"""Conditions, pages, compression and request ids: the same everywhere, or refused by name."""

import gzip
import json
import re
from importlib.metadata import version

import pytest
from support.builders import clinic, request
from support.callers import bearing, calling
from support.contract_document import EXPANDED
from support.path_resources import UNKNOWN, addressed, create_resource, fill_body, things_of

from api.contract.operation_examples import load_operation_examples

DOCUMENT = EXPANDED
WRITES = [
    (method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if method in {"post", "put", "patch", "delete"}
    and (operation["security"] or [{}])[0].keys() == {"token"}
]
CONDITIONS = ("Idempotency-Key", "If-Match", "If-Unmodified-Since", "If-None-Match")


@pytest.fixture
def caller(service):
    return calling(service, clinic(service.services.store, "Conditions"))


def list_headers(operation):
    parameters = operation.get("parameters", ())
    return {parameter["name"] for parameter in parameters if parameter["in"] == "header"}


@pytest.mark.parametrize("header", CONDITIONS)
def test_a_condition_that_an_operation_does_not_support_is_refused(header, caller):
    unsupporting = [(method, path) for method, path, op in WRITES if header not in list_headers(op)]
    assert len(unsupporting) > 20
    for method, path in unsupporting:
        response = caller.request(method, addressed(path, UNKNOWN), headers={header: '"x"'})
        assert response.status_code == 400, (method, path)
        assert header in response.text


def test_every_change_of_what_is_administered_takes_if_match():
    without = {
        f"{method} {path}"
        for method, path, operation in WRITES
        if method in {"put", "patch"} and "If-Match" not in list_headers(operation)
    }
    assert without == {"put /v1/clients/{client}/key-set"}


def list_administered(caller):
    """Yield what can be changed, the change, and another one."""
    scopes = ["score"]
    client = create_resource(caller, "/v1/clients", {"name": "A", "scopes": scopes})["id"]
    person = {"reference": "GP-9", "name": "A", "scopes": scopes}
    practitioner = create_resource(caller, "/v1/practitioners", person)["id"]
    yield "patch", "/v1/organisation", {"name": "B"}
    yield "patch", f"/v1/clients/{client}", {"name": "B"}
    yield "patch", f"/v1/practitioners/{practitioner}", {"name": "B"}
    yield "put", "/v1/organisation/forms", {"reminder_days": 5}


def test_a_change_of_another_version_changes_nothing(caller):
    for method, path, change in list_administered(caller):
        before = caller.get(path)
        wrong = caller.request(method, path, json=change, headers={"If-Match": '"another"'})
        assert (wrong.status_code, wrong.json()["type"]) == (412, "/problems/version_mismatch")
        assert caller.get(path).json() == before.json()
        tag = {"If-Match": before.headers["etag"]}
        changed = caller.request(method, path, json=change, headers=tag)
        assert changed.status_code == 200
        assert changed.headers["etag"] == caller.get(path).headers["etag"] != before.headers["etag"]
        assert caller.request(method, path, json=change, headers=tag).status_code == 412


def walk(caller, path, name):
    """Return the ids of every page of a list, at two a page."""
    ids, address = [], f"{path}?limit=2"
    while address:
        page = caller.get(address)
        assert page.status_code == 200, page.text
        assert len(page.json()[name]) <= 2
        ids += [row["id"] for row in page.json()[name]]
        address = page.json()["next"]
    return ids


def test_every_list_is_walked_by_limit_cursor_and_next(caller):
    for number in range(5):
        create_resource(caller, "/v1/screenings", request(f"MRN-{number}"))
        create_resource(caller, "/v1/links", {"patient": {"reference": f"MRN-{number}"}})
        create_resource(caller, "/v1/clients", {"name": f"C{number}", "scopes": ["score"]})
        person = {"reference": f"GP-{number}", "name": "Dr A. Example", "scopes": ["score"]}
        create_resource(caller, "/v1/practitioners", person)
        batch = caller.post(
            "/v1/batches?rulebook=phq4",
            content="phq4_down\n1\n", headers={"Content-Type": "text/csv"},
        )  # fmt: skip
        assert batch.status_code == 202
    for name, count in (
        ("screenings", 5), ("links", 5), ("clients", 6), ("practitioners", 5), ("batches", 5),
    ):  # fmt: skip
        ids = walk(caller, f"/v1/{name}", name)
        assert (len(ids), len(set(ids))) == (count, count)


def test_every_operation_that_answers_a_list_pages_in_the_same_way():
    fixed = {"list_rulebooks", "list_profiles"}  # they come with a release
    unpaged = []
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            name = operation["operationId"]
            if name.startswith("list_") and name not in fixed:
                parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
                content = operation["responses"]["200"]["content"]["application/json"]
                model = content["schema"]["$ref"].rpartition("/")[2]
                members = DOCUMENT["components"]["schemas"][model]["properties"]
                if not {"limit", "cursor"} <= parameters or "next" not in members:
                    unpaged.append(name)
    assert unpaged == []


def test_the_audit_is_walked_by_its_link(caller):
    for _ in range(3):
        caller.get("/v1/organisation")
    first = caller.get("/v1/audit?limit=2")
    address = first.links["next"]["url"]
    assert address == "/v1/audit?limit=2&cursor=" + str(
        json.loads(first.text.splitlines()[1])["seq"]
    )
    assert json.loads(caller.get(address).text.splitlines()[0])["seq"] == 3


def test_json_is_compressed_for_those_who_accept_it(service, caller):
    headers = {"Accept-Encoding": "gzip"}
    with caller.stream("GET", "/openapi.json", headers=headers) as response:
        raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in response.headers["vary"]
    plain = caller.get("/openapi.json", headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content
    assert len(raw) * 4 < len(plain.content)
    page = bearing(service).get("/desk/sign-in", headers=headers)
    assert "content-encoding" not in page.headers


NAMES = {
    "instrument": "phq4", "form": "phq4", "version": "1.0.0", "code_list": "phq4-band",
    "part": "band", "definition": "QuestionnaireResponse-score", "code": "invalid_request",
    "concept_map": "phq4-loinc", "device": f"nociscreen-{version('nociscreen')}",
}  # fmt: skip
CHANGING = ("/health/", "/metrics", "/v1/reports/verify/")
"""Public, but never the same for long; or only for whoever holds the report."""
PUBLIC_READS = [
    path
    for path, operations in DOCUMENT["paths"].items()
    if operations.get("get", {}).get("security") == [] and not path.startswith(CHANGING)
]


def test_what_is_public_may_be_kept_and_is_sent_compressed(service):
    anonymous = bearing(service)
    assert len(PUBLIC_READS) > 15
    for path in PUBLIC_READS:
        address = re.sub(r"\{(\w+)\}", lambda match: NAMES[match[1]], path)
        first = anonymous.get(address, headers={"Accept-Encoding": "gzip"})
        assert first.status_code == 200, address
        assert first.headers["cache-control"].startswith("public, max-age="), address
        assert ("content-encoding" in first.headers) == (len(first.content) >= 1024), address
        responses = DOCUMENT["paths"][path]["get"]["responses"]
        if path != "/.well-known/jwks.json":
            assert "ETag" in responses["200"]["headers"], address
            tag = {"If-None-Match": first.headers["etag"]}
            again = anonymous.get(address, headers=tag)
            assert (again.status_code, again.content) == (304, b""), address
            assert "304" in responses, address
    for path in ("/health/live", "/metrics", f"/v1/reports/verify/{'0' * 64}"):
        assert anonymous.get(path).headers["cache-control"] == "no-store"


def test_every_operation_with_an_idempotency_key_is_carried_out_once(caller):
    names = []
    examples = load_operation_examples().keys() - {"rescore_screening"}  # between two versions
    for method, path, operation in WRITES:
        has_example = operation["operationId"] in examples
        if "Idempotency-Key" in list_headers(operation) and has_example:
            things = things_of(caller, path) | {"suffix": "pdf"}
            content = operation.get("requestBody", {}).get("content", {})
            kind, body = next(iter(content.items()), (None, {}))
            value = next(iter(body.get("examples", {}).values()), {}).get("value")
            send = (
                {"content": value} if isinstance(value, str) else {"json": fill_body(value, things)}
            )
            headers = {"Idempotency-Key": f"twice-{path}"} | (
                {"Content-Type": kind} if kind else {}
            )
            address = addressed(path, things)
            answers = [caller.request(method, address, headers=headers, **send) for _ in "12"]
            assert {answer.is_success for answer in answers} == {True}, answers[0].text
            assert answers[1].headers["idempotency-replayed"] == "true", path
            assert answers[0].content == answers[1].content, path
            names.append(operation["operationId"])
    assert len(names) >= 16


def test_the_description_is_cached_by_its_tag(caller):
    first = caller.get("/openapi.json")
    assert first.headers["cache-control"] == "public, max-age=300"
    again = caller.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
UUID = "6f6f6f6f-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Request-Id": UUID}, UUID),
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"X-Request-Id": UUID, "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, UUID),
        ({"X-Request-Id": "MRN-0042 Jane Example"}, None),
        ({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}, None),
    ],
)
def test_the_callers_id_of_a_request_is_taken_up_if_it_can_name_nobody(caller, headers, expected):
    response = caller.get("/v1/screenings/x", headers=headers)
    request_id = response.headers["x-request-id"]
    assert request_id == response.json()["request_id"]
    assert (request_id == expected) if expected else (len(request_id) == 32 and request_id != TRACE)


def test_a_patient_is_erased_by_a_post(caller):
    create_resource(caller, "/v1/screenings", request("MRN-0042"))
    erased = caller.post("/v1/patients/erase", json={"reference": "MRN-0042"})
    assert (erased.status_code, erased.json()["screenings"]) == (200, 1)


@pytest.mark.parametrize(
    ("query", "accepted", "word"),
    [
        ("?locale=de-AT", None, "Seite"),
        ("", "de-AT, en;q=0.5", "Seite"),
        ("?locale=en", "de", "Page"),
        ("", "*", "Page"),
    ],
)
def test_a_report_is_in_the_language_of_the_locale_or_of_accept_language(
    caller, query, accepted, word
):
    body = request("MRN-0042", "phq4")
    headers = {"Accept": "text/html"} | ({"Accept-Language": accepted} if accepted else {})
    response = caller.post(f"/v1/score/report{query}", json=body, headers=headers)
    assert response.status_code == 200
    language = {"Seite": "de", "Page": "en"}[word]
    assert f'lang="{language}"' in response.text
