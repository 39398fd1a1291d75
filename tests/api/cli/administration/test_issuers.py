"""The commands by which whoever runs the service says whom an organisation trusts."""

import json

import pytest
from support.commands import NOBODY, failed, run, said
from support.interop.hospital_issuers import Signer

ISSUER = "https://login.example"


@pytest.fixture
def of(settings):
    return "--organisation", said(settings, "admin", "organisation", "add", "Clinic")["id"]


@pytest.fixture
def terms(tmp_path):
    file = tmp_path / "terms.json"
    file.write_text(json.dumps({"keys": [Signer().jwk()], "scopes": ["score"]}))
    return file


def test_places_are_allowed_listed_and_taken_back(settings, of):
    place = "admin", "place"
    for words in (["EHR.example."], ["127.0.0.1:8080", "--private"]):
        assert run(settings, *place, "allow", *words, *of).returncode == 0
    assert said(settings, *place, "list", *of) == [
        {"host": "127.0.0.1", "port": 8080, "private": True},
        {"host": "ehr.example", "port": 443, "private": False},
    ]
    assert run(settings, *place, "disallow", "ehr.example", *of).returncode == 0
    assert len(said(settings, *place, "list", *of)) == 1
    assert failed(settings, *place, "disallow", "ehr.example", *of).startswith("Not found")
    assert failed(settings, *place, "allow", "127.1", *of).startswith("HOST:PORT: ")


def test_an_issuer_is_entered_changed_and_dropped(settings, of, terms):
    audience = f"https://nociscreen.example/{of[1]}"
    named = "--audience", audience
    made = said(settings, "admin", "issuer", "add", ISSUER, terms, *named, *of)
    assert (made["kind"], made["issuer"], made["audience"]) == ("access", ISSUER, audience)
    assert said(settings, "admin", "issuer", "list", *of) == [made]
    changed = said(settings, "admin", "issuer", "change", made["id"], "--inactive", *of)
    assert changed == made | {"active": False}
    terms.write_text(json.dumps({"key_set_url": "https://login.example/jwks"}))
    changed = said(settings, "admin", "issuer", "change", made["id"], "--terms", terms, *of)
    assert changed["terms"]["key_set_url"] == "https://login.example/jwks"
    assert run(settings, "admin", "issuer", "drop", made["id"], *of).returncode == 0
    assert said(settings, "admin", "issuer", "list", *of) == []
    for words in (["drop", made["id"]], ["change", made["id"], "--active"]):
        assert failed(settings, "admin", "issuer", *words, *of).startswith("Not found")


def test_an_ehr_is_entered_without_an_audience(settings, of, terms):
    ehr = f"https://ehr.example/{of[1]}"
    made = said(settings, "admin", "issuer", "add", ehr, terms, "--hooks", *of)
    assert (made["kind"], made["audience"]) == ("hooks", "")
    again = failed(settings, "admin", "issuer", "add", ehr, terms, "--hooks", *of)
    assert again.startswith("Conflict")


@pytest.mark.parametrize("more", [[], ["--hooks", "--audience", "a"]])
def test_an_issuer_has_an_audience_or_calls_hooks(settings, of, terms, more):
    assert "--audience" in failed(settings, "admin", "issuer", "add", ISSUER, terms, *more, *of)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("{", "expected JSON"),
        ("{}", "expected keys"),
        ('{"key_set_url": "x", "scopes": ["root"]}', "expected scopes out of"),
        ('{"key_set_url": "x", "other": 1}', "/other"),
        ('{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "no private or secret member"),
    ],
)
def test_terms_that_are_none_are_refused_by_name(settings, of, terms, told, says):
    terms.write_text(told)
    message = failed(settings, "admin", "issuer", "add", ISSUER, terms, "--audience", "a", *of)
    assert says in message
    assert "c2VjcmV0" not in message


def test_an_issuer_is_named_by_its_address(settings, of, terms):
    message = failed(settings, "admin", "issuer", "add", "login", terms, "--audience", "a", *of)
    assert message.startswith("issuer: ")


def test_an_organisation_that_is_none_trusts_nobody(settings, terms):
    of = "--organisation", NOBODY
    assert failed(settings, "admin", "issuer", "add", ISSUER, terms, "--hooks", *of)
