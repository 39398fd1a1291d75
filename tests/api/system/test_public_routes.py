"""The rulebooks, health and problem types: what anyone may read."""

import hashlib
import tomllib

import pytest
from jsonschema import Draft202012Validator

from api.problem_definitions import PROBLEM_DEFINITIONS
from scoring.catalogue import RULEBOOKS_FOLDER

PATH = "/v1/rulebooks/nociplastic/1.0.0"


def test_every_rulebook_is_listed_with_status_approver_and_hash(anonymous):
    summaries = anonymous.get("/v1/rulebooks").json()["rulebooks"]
    assert [item["name"] for item in summaries] == [
        "nociplastic@1.0.0",
        "phq4@1.0.0",
        "nociplastic@2.0.0",
    ]
    for item in summaries:
        file = RULEBOOKS_FOLDER / item["instrument"] / f"{item['version']}.toml"
        assert item["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert item["status"] == "active"
        assert anonymous.get(item["links"]["self"]).status_code == 200
        assert anonymous.get(item["links"]["schema"]).status_code == 200


def test_a_rulebook_shows_its_whole_reasoning(anonymous):
    body = anonymous.get(PATH).json()
    file = tomllib.loads((RULEBOOKS_FOLDER / "nociplastic" / "1.0.0.toml").read_text())
    for one, several in {"question": "questions", "flag": "flags", "citation": "citations"}.items():
        assert [item["id"] for item in body[several]] == [item["id"] for item in file[one]]
    assert len(file["criterion"]) == 36
    assert [
        (
            criterion["rationale"],
            [level["points"] for level in criterion["levels"]],
            [discount["factor"] for discount in criterion["discounts"]],
        )
        for criterion in body["criteria"]
    ] == [
        (
            criterion["rationale"],
            [level["points"] for level in criterion["level"]],
            [discount["factor"] for discount in criterion.get("discount", [])],
        )
        for criterion in file["criterion"]
    ]


def test_a_rulebook_is_kept_by_its_etag(anonymous):
    first = anonymous.get(PATH)
    again = anonymous.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = anonymous.get(PATH, headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize("path", ["/v1/rulebooks/nociplastic/9.9.9", "/v1/rulebooks/x/1.0.0"])
def test_an_unknown_rulebook_is_404(anonymous, path):
    assert anonymous.get(path).status_code == 404
    assert anonymous.get(f"{path}/schema").status_code == 404


def test_the_schema_of_the_answers_takes_what_the_service_takes(anonymous, intake):
    response = anonymous.get(f"{PATH}/schema")
    assert response.headers["content-type"] == "application/schema+json"
    schema = Draft202012Validator(response.json())
    assert schema.is_valid(intake["answers"])
    for wrong in ({"fatigue": "yes"}, {"age_years": 121}, {"nobody": 1}, {"pain_sites": ["x"]}):
        assert not schema.is_valid(wrong)


def test_health_is_ok(anonymous):
    assert anonymous.get("/health/live").json() == {"status": "ok"}
    assert anonymous.get("/health/ready").json() == {"status": "ok"}


def test_every_type_of_problem_is_documented(anonymous):
    for code, kind in PROBLEM_DEFINITIONS.items():
        body = anonymous.get(f"/problems/{code}").json()
        assert (body["code"], body["status"]) == (code, kind.status)
    assert anonymous.get("/problems/none").status_code == 404
