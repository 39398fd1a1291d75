"""Mappings over HTTP: named, versioned, of one organisation; a batch is read by one."""

import json

import pytest
from support.batch_files import results, work
from support.callers import last_act
from support.path_resources import MAPPING, create_resource

from schemas.batches.mapping import MAX_MAPPING_LENGTH

ROWS = "number,nervous,site\na,1,north\nb,NA,south\nc,9,south\n"
BY_SITE = MAPPING | {"toml": f'keep = ["site"]\nmissing = ["NA"]\n{MAPPING["toml"]}'}


def upload(client, query: str, text: str = ROWS, kind: str = "text/csv"):
    return client.post(f"/v1/batches{query}", content=text, headers={"Content-Type": kind})


def test_each_upload_of_a_name_is_its_next_version(kept_service, kept_clinic, kept_client):
    first = create_resource(kept_client, "/v1/mappings", MAPPING)
    second = create_resource(kept_client, "/v1/mappings", BY_SITE)
    assert (first["name"], second["version"]) == ("own", first["version"] + 1)
    assert last_act(kept_service, kept_clinic) == ("create", "ok", "mapping", second["id"])
    read = kept_client.get(f"/v1/mappings/{second['id']}")
    assert (read.json(), bool(read.headers["etag"])) == (second, True)
    names = [line["id"] for line in kept_client.get("/v1/mappings").json()["mappings"]]
    assert names[:2] == [second["id"], first["id"]]
    assert kept_client.delete(f"/v1/mappings/{first['id']}").status_code == 204
    assert kept_client.delete(f"/v1/mappings/{second['id']}").status_code == 204
    assert kept_client.get(f"/v1/mappings/{second['id']}").status_code == 404
    third = create_resource(kept_client, "/v1/mappings", MAPPING)
    assert third["version"] == second["version"] + 1


@pytest.mark.parametrize("name", ["own", "{id}"])
def test_a_batch_is_read_by_a_version_or_by_the_newest(kept_client, name):
    stored_mapping = create_resource(kept_client, "/v1/mappings", BY_SITE)
    batch = upload(kept_client, f"?mapping={name.format(**stored_mapping)}").json()
    work(kept_client.app)
    assert (batch["mapping"], batch["rulebook"]) == (stored_mapping["id"], "phq4@1.0.0")
    progress = kept_client.get(batch["links"]["self"]).json()
    assert (progress["rows_done"], progress["rows_with_problems"]) == (3, 1)
    problems = kept_client.get(batch["links"]["problems"]).text.splitlines()
    assert [(it["row_id"], it["column"]) for it in map(json.loads, problems)] == [
        ("c", "phq4_nervous")
    ]
    assert results(kept_client, batch)["site"].to_list() == ["north", "south", "south"]


def test_a_file_that_does_not_fit_is_refused_without_a_word_of_it(kept_client):
    create_resource(kept_client, "/v1/mappings", MAPPING)
    response = upload(kept_client, "?mapping=own")
    assert (response.status_code, "column 3 is not in the mapping" in response.text) == (422, True)
    assert "site" not in response.text
    assert upload(kept_client, "?mapping=other").status_code == 404


def test_a_mapping_that_cannot_be_used_says_each_fault(kept_client):
    response = kept_client.post(
        "/v1/mappings", json=MAPPING | {"toml": f"decimals = 1\n{MAPPING['toml']}"}
    )
    details = [error["detail"] for error in response.json()["errors"]]
    assert (response.status_code, len(details)) == (422, 1)
    toml = MAPPING["toml"].replace("phq4_nervous", "nothing")
    response = kept_client.post("/v1/mappings", json=MAPPING | {"toml": toml})
    assert "has no such question" in response.json()["errors"][0]["detail"]


HUGE_NUMBER = "1" * 5000
HOSTILE_TOML = {
    "lists in lists": "a = " + "[" * 9000,
    "a number of 5,000 digits": f"skip_rows = {HUGE_NUMBER}",
    "a number of 5,000 hexadecimal digits": f"constants = {{phq4_nervous = 0x{HUGE_NUMBER}}}",
    "a date format that has a part twice": 'answered_on = {column = "d", format = "%d%d"}',
    "a date format that is none": 'answered_on = {column = "d", format = "%Q"}',
    "a line break between columns": 'delimiter = "\\n"',
    "a quotation mark between columns": "delimiter = '\"'",
    "two bytes between columns": 'delimiter = "ü"',
}


@pytest.mark.parametrize("toml", HOSTILE_TOML.values(), ids=HOSTILE_TOML)
def test_a_hostile_mapping_is_refused(kept_client, toml):
    assert len(toml) < MAX_MAPPING_LENGTH - len(MAPPING["toml"])
    content = MAPPING | {"toml": f"{toml}\n{MAPPING['toml']}"}
    response = kept_client.post("/v1/mappings", json=content)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/toml")


def test_a_mapping_has_ten_thousand_characters_at_most(kept_client):
    toml = MAPPING["toml"] + "#" * (10_000 - len(MAPPING["toml"]))
    create_resource(kept_client, "/v1/mappings", MAPPING | {"toml": toml})
    response = kept_client.post("/v1/mappings", json=MAPPING | {"toml": f"{toml}#"})
    assert response.status_code == 400


@pytest.mark.parametrize(("count", "last"), [(100, "no such question"), (101, "1 more faults")])
def test_a_hundred_faults_of_a_mapping_are_listed(kept_client, count, last):
    questions = "".join(f'[[question]]\nid = "q{n}"\ncolumn = "c"\n' for n in range(count))
    response = kept_client.post(
        "/v1/mappings", json=MAPPING | {"toml": MAPPING["toml"] + questions}
    )
    errors = response.json()["errors"]
    assert (response.status_code, len(errors)) == (422, count if count == 100 else 101)
    assert last in errors[-1]["detail"]


def test_a_column_that_is_returned_is_no_formula_in_the_results(kept_client):
    toml = f'keep = ["=1+1"]\n{MAPPING["toml"]}'
    create_resource(kept_client, "/v1/mappings", MAPPING | {"toml": toml})
    batch = upload(kept_client, "?mapping=own", "number,nervous,=1+1\na,1,north\n").json()
    work(kept_client.app)
    text = kept_client.get(batch["links"]["results"], headers={"Accept": "text/csv"}).text
    assert "'=1+1" in text.splitlines()[0]


def test_a_mapping_of_another_organisation_reads_no_batch(kept_client, other_client):
    stored_mapping = create_resource(kept_client, "/v1/mappings", MAPPING)
    assert upload(other_client, f"?mapping={stored_mapping['id']}").status_code == 404
    assert upload(other_client, "?mapping=own").status_code == 404


def test_a_json_array_is_read(kept_client):
    rows = json.dumps([{"row_id": "a", "phq4_nervous": 1}, {"row_id": "b"}])
    response = upload(kept_client, "?rulebook=phq4", rows, "application/json")
    assert (response.status_code, response.json()["rows"]) == (202, 2)
