"""Searches: each declared parameter finds what a read shows, and nothing else."""

import pytest
from support.builders import fhir_response
from support.callers import calling

from api.fhir.search_parameters import PARAMETERS, read_elements

ORDER, VISIT = {"reference": "ServiceRequest/SR-9"}, {"reference": "Encounter/e1"}
LINKS = {
    "identifier": {"system": "urn:oid:1.2.3.4", "value": "response-1"},
    "basedOn": [ORDER],
    "partOf": [{"reference": "Procedure/p1"}],
    "encounter": VISIT,
    "author": {"reference": "Practitioner/dr1"},
    "source": {"reference": "Patient/p1"},
}
BOTH = ("Observation:derived-from", "DocumentReference:related")
ROWS = [(kind, name) for kind, parameters in PARAMETERS.items() for name in parameters]


@pytest.fixture(scope="module")
def caller(service):
    from support import builders

    return calling(service, builders.clinic(service.services.store, "Searches"))


@pytest.fixture(scope="module")
def ids(caller) -> list[str]:
    """Two responses: one of Patient/p1 with all links in 2026, one without any in 2024."""
    bodies = [
        fhir_response() | LINKS | {"subject": {"reference": "Patient/p1"}},
        fhir_response() | {"authored": "2024-05-01", "status": "amended"},
    ]
    return [caller.post("/fhir/QuestionnaireResponse", json=it).json()["id"] for it in bodies]


def find(caller, kind: str, query: str) -> list[str]:
    answer = caller.get(f"/fhir/{kind}?{query}")
    assert answer.status_code == 200, (query, answer.text)
    entries = answer.json().get("entry", [])
    return [it["resource"]["id"] for it in entries if it["search"]["mode"] == "match"]


def spell(kind: str, element) -> str:
    """Return the value of a parameter that names this element."""
    if isinstance(element, str):
        return element
    if kind == "reference":
        return element["reference"]
    token = element["coding"][0] if "coding" in element else element
    return f"{token['system']}|{token.get('code', token.get('value'))}"


@pytest.mark.parametrize(("kind", "name"), ROWS)
def test_each_parameter_finds_what_a_read_shows(caller, ids, kind, name):
    parameter = PARAMETERS[kind][name]
    resource = caller.get(f"/fhir/{kind}/{ids[0]}").json()
    element = next(iter(read_elements(resource, parameter.element)))
    value = spell(parameter.kind, element).replace("+", "%2B").replace("|", "%7C")
    assert ids[0] in find(caller, kind, f"{name}={value}")
    assert ids[0] in find(
        caller, kind, f"{name}={'2001,' if parameter.kind == 'date' else 'x,'}{value}"
    )
    other = {"date": "lt2001", "token": "nothing", "reference": "Nothing/1"}[parameter.kind]
    assert find(caller, kind, f"{name}={other}") == []


def test_the_declared_parameters_are_those_of_the_table(caller):
    statement = caller.get("/fhir/metadata").json()["rest"][0]["resource"]
    declared = {it["type"]: {p["name"] for p in it.get("searchParam", ())} for it in statement}
    for kind, parameters in PARAMETERS.items():
        assert set(parameters) | {"_id", "patient"} <= declared[kind]
        for name in declared[kind] - set(parameters):
            assert caller.get(f"/fhir/{kind}?{name}=urn:x%7C1").status_code in (200, 422)


QUERIES = {  # the indexes of the responses that are found
    "patient=p1": [0],
    "subject=Patient/p1": [0],
    "subject=p2": [],
    "patient.identifier=urn:oid:1.2.3%7CMRN-0042": [1],
    "subject:identifier=MRN-0042": [1],
    "_id={0},{1}": [0, 1],
    "_id={0},unknown": [0],
    "identifier=response-1": [0],
    "identifier=urn:oid:1.2.3.4%7Cresponse-1": [0],
    "authored=2024": [1],
    "authored=ge2024-05-02": [0],
    "authored=ge2024-01-01&authored=lt2025": [1],
    "authored=ne2024-05-01": [0],
    "_sort=authored": [1, 0],
    "_sort=-authored": [0, 1],
    "based-on=SR-9": [0],
    "encounter=Encounter/e1,Encounter/e2": [0],
    "status=amended": [1],
    "status=completed,amended&_sort=authored": [1, 0],
    "_pretty=true&_format=json&patient=p1": [0],
    "_count=1000&patient=p1": [0],
    "_count=100000&patient=p1": [0],
    "questionnaire=Questionnaire/phq4&patient=p1": [0],
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_search_finds_these_responses(caller, ids, query):
    found_ids = find(caller, "QuestionnaireResponse", query.format(*ids))
    assert found_ids == [ids[index] for index in QUERIES[query]]


@pytest.mark.parametrize(
    "query",
    ["_count=0", "_summary=count", "_total=accurate", "_count=0&status=amended",
     "_total=estimate&_sort=authored", "_count=0&identifier=urn:oid:1.2.3.4|amended-by-no-one"],
)  # fmt: skip
def test_a_total_counts_every_match(caller, ids, query):
    bundle = caller.get(f"/fhir/QuestionnaireResponse?{query}").json()
    expected = {"status=amended": 1, "identifier": 0}
    assert bundle["total"] == next((n for name, n in expected.items() if name in query), len(ids))
    assert ("entry" in bundle) is ("_total" in query)


@pytest.mark.parametrize("sort", ["", "&_sort=-authored"])
def test_pages_keep_what_is_shown(caller, ids, sort):
    here = f"/fhir/QuestionnaireResponse?_count=1&_elements=authored{sort}"
    found_ids = []
    while here is not None:
        page = caller.get(here).json()
        (resource,) = [entry["resource"] for entry in page["entry"]]
        assert resource.keys() == {"resourceType", "id", "meta", "status", "authored"}
        assert resource["meta"]["tag"][0]["code"] == "SUBSETTED"
        found_ids.append(resource["id"])
        here = {link["relation"]: link["url"] for link in page["link"]}.get("next")
        assert here is None or "authored%22" not in here
    assert sorted(found_ids) == sorted(ids)


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("Observation?_include=Observation:derived-from", ["QuestionnaireResponse"]),
        ("QuestionnaireResponse?_revinclude=Observation:derived-from", ["Observation"]),
        (f"QuestionnaireResponse?_revinclude={'&_revinclude='.join(BOTH)}",
         ["Observation", "DocumentReference"]),
        ("Provenance?_include=Provenance:target", ["Observation", "RiskAssessment"]),
        ("DocumentReference?_include=DocumentReference:related", ["QuestionnaireResponse"]),
        ("Observation?_include=Observation:patient", []),
    ],
)  # fmt: skip
def test_other_resources_of_a_screening_are_included(caller, ids, search, expected):
    bundle = caller.get(f"/fhir/{search}&_id={ids[0]}").json()
    modes = [(it["search"]["mode"], it["resource"]["resourceType"]) for it in bundle["entry"]]
    kind = search.partition("?")[0]
    assert modes == [("match", kind), *(("include", name) for name in expected)]
    assert {it["resource"]["id"] for it in bundle["entry"]} == {ids[0]}


@pytest.mark.parametrize(
    ("summary", "missing"), [("true", "item"), ("text", "item"), ("data", "text"), ("false", None)]
)
def test_a_summary_shows_a_part(caller, ids, summary, missing):
    query = f"_summary={summary}&_id={ids[0]}"
    (entry,) = caller.get(f"/fhir/QuestionnaireResponse?{query}").json()["entry"]
    assert missing not in entry["resource"]
    assert entry["resource"]["status"] == "completed"


def test_unknown_parameters_are_passed_over_where_the_client_prefers_it(caller, ids):
    here = "/fhir/QuestionnaireResponse?patient=p1&foo=bar"
    refusal = caller.get(here)
    assert refusal.status_code == 422
    assert "foo" in refusal.text
    bundle = caller.get(here, headers={"Prefer": "handling=lenient"}).json()
    assert [it["resource"]["id"] for it in bundle["entry"]] == [ids[0]]
    assert bundle["link"][0]["url"].endswith("?patient=p1")


@pytest.mark.parametrize("number", ["", "9" * 201, "a%0Bb", "%E2%80%AEa"])
@pytest.mark.parametrize("name", ["patient=", "subject=", "patient.identifier=urn:oid:1|"])
def test_a_patient_whom_no_record_can_name_is_refused(caller, name, number):
    refusal = caller.get(f"/fhir/QuestionnaireResponse?{name}{number}")
    assert refusal.status_code == 422
    assert "99999" not in refusal.text


def test_a_long_fault_is_an_outcome_for_a_caller_that_takes_gzip(kept_client):
    query = "&".join(f"unknown-{number}=1" for number in range(40))
    response = kept_client.get(f"/fhir/Questionnaire?{query}", headers={"Accept-Encoding": "gzip"})
    assert (response.status_code, response.json()["resourceType"]) == (422, "OperationOutcome")
    assert len(response.content) > 1024


@pytest.mark.parametrize("name", ["status:not", "code:text", "_has:Provenance:target:_id"])
def test_a_modifier_or_chain_that_is_not_offered_is_named(caller, name):
    refusal = caller.get("/fhir/Observation", params={name: "x"})
    assert refusal.status_code == 422
    assert refusal.json()["issue"][0]["details"]["text"].startswith(f"{name}: unknown")
