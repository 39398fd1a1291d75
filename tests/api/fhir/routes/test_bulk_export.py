"""Bulk Data export: every screening once, read back by the service's own reader of such files."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.builders import add, do, fhir_response, intake
from support.callers import audited, calling

from api.fhir.bulk_responses import ResponseTranslator
from api.fhir.elements import FHIR_JSON
from api.jobs.chunk_runner import WorkerContext, run_inline
from api.store.patients import data_subject_rights
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings
from schemas.batches.batch import PATIENT_REFERENCE, ROW_ID
from scoring.catalogue import load_catalogue

TYPES = ["QuestionnaireResponse", "Observation", "RiskAssessment", "Provenance"]
NOT_HERE = (
    "`$export` is not offered at this address, but at `/fhir/$export`, `/fhir/Patient/$export`."
)
NO_SUCH_OPERATION = "There is no operation `$import`. /fhir/metadata lists what there is."


@pytest.fixture
def store(kept_service):
    return kept_service.services.store


@pytest.fixture
def run_worker(kept_service, kept_clinic):
    """Does what a worker does with an export."""

    def run(address: str) -> None:
        services = kept_service.services
        context = WorkerContext(services.store, services.settings, services.catalogue, None)
        export = address.rpartition("/")[2]
        run_inline(context, kept_clinic.organisation, export, range(1))

    return run


def begin(client, query: str = "") -> str:
    response = client.get(f"/fhir/$export{query}", headers={"Prefer": "respond-async"})
    assert response.status_code == 202, response.text
    return response.headers["content-location"].removeprefix("http://127.0.0.1:8000")


def read_files(client, manifest: dict) -> dict[str, list[dict]]:
    files = {}
    for entry in manifest["output"]:
        response = client.get(entry["url"].removeprefix("http://127.0.0.1:8000"))
        assert response.headers["content-type"] == "application/fhir+ndjson"
        lines = response.text.splitlines()
        assert len(lines) == entry["count"]
        files[entry["type"]] = [json.loads(line) for line in lines]
    return files


def test_every_screening_is_exported_once_and_read_back(
    kept_client, kept_clinic, store, run_worker
):
    body = json.dumps(fhir_response("N-1"))
    created = kept_client.post(
        "/fhir/QuestionnaireResponse", content=body, headers={"Content-Type": FHIR_JSON}
    ).json()
    first = add(store, kept_clinic, "N-2", system="urn:oid:1.2.3")
    again = intake("N-2", system="urn:oid:1.2.3")
    amended = do(store, kept_clinic, screenings.amend_screening, first, again)
    withdrawn = add(store, kept_clinic, "N-3")
    do(store, kept_clinic, screenings.mark_entered_in_error, withdrawn, "another patient")
    address = begin(kept_client)
    waiting = kept_client.get(address)
    assert (waiting.status_code, waiting.headers["x-progress"]) == (202, "0 of 3 screenings")
    run_worker(address)
    finished = kept_client.get(address)
    manifest = finished.json()
    assert "expires" in finished.headers
    assert manifest["requiresAccessToken"] is True
    assert manifest["request"] == "http://127.0.0.1:8000/fhir/$export"
    assert [(row["type"], row["count"]) for row in manifest["output"]] == [
        (name, 3) for name in TYPES
    ]
    files = read_files(kept_client, manifest)
    ids = [created["id"], first.id, withdrawn.id]
    for name in TYPES:
        assert [resource["id"] for resource in files[name]] == ids
        for resource in files[name]:
            assert resource == kept_client.get(f"/fhir/{name}/{resource['id']}").json()
    statuses = [row["status"] for row in files["QuestionnaireResponse"]]
    assert statuses == ["completed", "amended", "entered-in-error"]
    assert amended.replaces == first.id
    catalogue = load_catalogue()
    translate = ResponseTranslator(catalogue, catalogue.find_active("phq4"))
    row, faults = translate(files["QuestionnaireResponse"][0])
    assert faults == []
    assert (row[ROW_ID], row[PATIENT_REFERENCE], row["phq4_nervous"]) == (ids[0], "N-1", 2)


def test_types_and_time_limit_what_is_exported(kept_client, kept_clinic, store, run_worker):
    add(store, kept_clinic, "N-1")
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for query, types in (
        ("?_type=Observation,Provenance&_outputFormat=ndjson", ["Observation", "Provenance"]),
        ("?_since=2026-01-01T00:00:00Z", TYPES),
        (f"?_since={later}", []),
    ):
        address = begin(kept_client, query)
        run_worker(address)
        manifest = kept_client.get(address).json()
        assert [row["type"] for row in manifest["output"]] == types
        assert manifest["request"].endswith(query)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("_type=Patient,Observation", f"_type: not exported: Patient; expected {', '.join(TYPES)}"),
        ("_type=n-1", f"_type: not exported: 1 that are not types; expected {', '.join(TYPES)}"),
        ("_outputFormat=csv", "_outputFormat: must be application/fhir+ndjson, the only format"),
        ("_since=x", "_since: is not valid here; the description of the API has the rule"),
        (
            "_typeFilter=Observation%3Fstatus%3Dfinal",
            "_typeFilter: is not supported; with `Prefer: handling=lenient` it is ignored",
        ),
        (
            "_tpye=Observation",
            "_tpye: unknown query parameter, number 1 of 1; did you mean `_type`?",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(kept_client, query, text):
    for path in ("/fhir/$export", "/fhir/Patient/$export"):
        response = kept_client.get(f"{path}?{query}")
        assert response.status_code == 422
        (issue,) = response.json()["issue"]
        assert issue["details"]["text"] == text


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/fhir/Group/g1/$export", 404, NOT_HERE),
        ("GET", "/fhir/Patient/p1/$export", 404, NOT_HERE),
        ("GET", "/fhir/$import", 404, NO_SUCH_OPERATION),
        ("POST", "/fhir/$export", 405, "`$export` is offered by GET, HEAD alone at this address."),
    ],
)
def test_an_operation_that_is_not_offered_is_named(kept_client, method, path, status, text):
    response = kept_client.request(method, path)
    assert response.status_code == status
    (issue,) = response.json()["issue"]
    assert (issue["code"], issue["details"]["text"]) == ("not-supported", text)


def test_a_lenient_client_learns_what_was_ignored(kept_client, kept_clinic, store, run_worker):
    add(store, kept_clinic, "N-1")
    query = "?_typeFilter=Observation%3Fstatus%3Dfinal&number=N-1&_type=Patient,Observation"
    headers = {"Prefer": "respond-async, handling=lenient"}
    response = kept_client.get(f"/fhir/Patient/$export{query}", headers=headers)
    assert response.status_code == 202
    address = response.headers["content-location"].removeprefix("http://127.0.0.1:8000")
    run_worker(address)
    manifest = kept_client.get(address).json()
    assert [(row["type"], row["count"]) for row in manifest["output"]] == [("Observation", 1)]
    assert manifest["request"].endswith("/fhir/Patient/$export?_type=Patient%2CObservation")
    (file,) = manifest["error"]
    assert (file["type"], file["count"]) == ("OperationOutcome", 1)
    (line,) = kept_client.get(file["url"].removeprefix("http://127.0.0.1:8000")).text.splitlines()
    outcome = json.loads(line)
    assert outcome["resourceType"] == "OperationOutcome"
    assert {issue["severity"] for issue in outcome["issue"]} == {"warning"}
    assert [issue["details"]["text"] for issue in outcome["issue"]] == [
        "_typeFilter is not supported and was ignored.",
        "Unknown parameters that were ignored: 1.",
        "_type: not exported: Patient.",
    ]


def test_a_lenient_client_gets_no_other_format_and_no_empty_export(kept_client):
    for query in ("_outputFormat=csv", "_type=Patient"):
        headers = {"Prefer": "handling=lenient"}
        assert kept_client.get(f"/fhir/$export?{query}", headers=headers).status_code == 422


def test_an_export_without_remarks_has_no_file_of_them(kept_client, kept_clinic, store, run_worker):
    add(store, kept_clinic, "N-1")
    address = begin(kept_client)
    run_worker(address)
    manifest = kept_client.get(address).json()
    assert manifest["error"] == []
    file = manifest["output"][0]["url"].removeprefix("http://127.0.0.1:8000")
    outcomes = file.replace("QuestionnaireResponse", "OperationOutcome")
    assert kept_client.get(outcomes).status_code == 404


def test_an_export_is_deleted_on_request_and_with_a_patient_in_it(
    kept_client, kept_clinic, store, run_worker
):
    add(store, kept_clinic, "N-1")
    addresses = [begin(kept_client) for _ in range(2)]
    for address in addresses:
        run_worker(address)
    assert kept_client.delete(addresses[0]).status_code == 202
    assert kept_client.get(addresses[0]).status_code == 404
    url = kept_client.get(addresses[1]).json()["output"][0]["url"]
    file = url.removeprefix("http://127.0.0.1:8000")
    assert kept_client.get(file).status_code == 200
    do(store, kept_clinic, data_subject_rights.erase_patient, PatientSelector("N-1", None))
    assert kept_client.get(file).status_code == 404


def test_a_client_gets_the_types_of_its_scopes_alone(
    kept_service, kept_clinic, store, run_worker, other_client
):
    add(store, kept_clinic, "N-1")
    scopes = ("system/QuestionnaireResponse.rs", "system/Observation.rs")
    narrow = calling(kept_service, kept_clinic, scopes)
    address = begin(narrow)
    run_worker(address)
    urls = [row["url"] for row in narrow.get(address).json()["output"]]
    assert [url.rpartition(".")[2] for url in urls] == TYPES[:2]
    assert narrow.get("/fhir/Patient/$export").status_code == 202
    assert narrow.get("/fhir/$export?_type=Provenance").status_code == 403
    assert calling(kept_service, kept_clinic, ("score",)).get("/fhir/$export").status_code == 403
    files = [url.removeprefix("http://127.0.0.1:8000") for url in urls]
    assert narrow.get(files[1]).status_code == 200
    only_responses = calling(kept_service, kept_clinic, scopes[:1])
    assert only_responses.get(files[1]).status_code == 403
    assert other_client.get(address).status_code == 404
    assert other_client.get(files[0]).status_code == 404
    exports = [row for row in audited(kept_service, kept_clinic) if row.action == "export"]
    assert {row.kind for row in exports} == {"batch"}
