"""The commands that manage allowed hosts and token issuers."""

import json

import pytest
from support.commands import (
    UNKNOWN_ORGANISATION,
    run_command,
    run_failing_command,
    run_json_command,
)
from support.interop.hospital_issuers import Signer

ISSUER = "https://login.example"


@pytest.fixture
def of(settings):
    return "--organisation", run_json_command(settings, "admin", "organisation", "add", "Clinic")[
        "id"
    ]


@pytest.fixture
def terms(tmp_path):
    file = tmp_path / "terms.json"
    file.write_text(json.dumps({"keys": [Signer().export_jwk()], "scopes": ["score"]}))
    return file


def test_hosts_are_added_listed_and_removed(settings, of):
    allowed_host = "admin", "allowed-host"
    for words in (["EHR.example."], ["127.0.0.1:8080", "--private"]):
        assert run_command(settings, *allowed_host, "add", *words, *of).returncode == 0
    assert run_json_command(settings, *allowed_host, "list", *of) == [
        {"host": "127.0.0.1", "port": 8080, "private": True},
        {"host": "ehr.example", "port": 443, "private": False},
    ]
    assert run_command(settings, *allowed_host, "remove", "ehr.example", *of).returncode == 0
    assert len(run_json_command(settings, *allowed_host, "list", *of)) == 1
    assert run_failing_command(settings, *allowed_host, "remove", "ehr.example", *of).startswith(
        "Not found"
    )
    assert run_failing_command(settings, *allowed_host, "add", "127.1", *of).startswith(
        "HOST:PORT: "
    )


def test_an_issuer_is_added_changed_and_removed(settings, of, terms):
    audience = f"https://nociscreen.example/{of[1]}"
    audience_option = "--audience", audience
    issuer = run_json_command(
        settings, "admin", "issuer", "add", ISSUER, terms, *audience_option, *of
    )
    assert (issuer["kind"], issuer["issuer"], issuer["audience"]) == ("access", ISSUER, audience)
    assert run_json_command(settings, "admin", "issuer", "list", *of) == [issuer]
    changed = run_json_command(
        settings, "admin", "issuer", "change", issuer["id"], "--inactive", *of
    )
    assert changed == issuer | {"active": False}
    terms.write_text(json.dumps({"key_set_url": "https://login.example/jwks"}))
    changed = run_json_command(
        settings, "admin", "issuer", "change", issuer["id"], "--terms", terms, *of
    )
    assert changed["terms"]["key_set_url"] == "https://login.example/jwks"
    assert run_command(settings, "admin", "issuer", "remove", issuer["id"], *of).returncode == 0
    assert run_json_command(settings, "admin", "issuer", "list", *of) == []
    for words in (["remove", issuer["id"]], ["change", issuer["id"], "--active"]):
        assert run_failing_command(settings, "admin", "issuer", *words, *of).startswith("Not found")


def test_an_ehr_is_added_without_an_audience(settings, of, terms):
    ehr = f"https://ehr.example/{of[1]}"
    issuer = run_json_command(settings, "admin", "issuer", "add", ehr, terms, "--hooks", *of)
    assert (issuer["kind"], issuer["audience"]) == ("hooks", "")
    again = run_failing_command(settings, "admin", "issuer", "add", ehr, terms, "--hooks", *of)
    assert again.startswith("Conflict")


@pytest.mark.parametrize("more", [[], ["--hooks", "--audience", "a"]])
def test_an_issuer_has_an_audience_or_calls_hooks(settings, of, terms, more):
    assert "--audience" in run_failing_command(
        settings, "admin", "issuer", "add", ISSUER, terms, *more, *of
    )


@pytest.mark.parametrize(
    ("text", "expected_message"),
    [
        ("{", "expected JSON"),
        ("{}", "set keys or key_set_url"),
        ('{"key_set_url": "x", "scopes": ["root"]}', "must be one of score"),
        ('{"key_set_url": "x", "other": 1}', "other: "),
        ('{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "no private or secret member"),
    ],
)
def test_invalid_terms_are_refused_by_name(settings, of, terms, text, expected_message):
    terms.write_text(text)
    message = run_failing_command(
        settings, "admin", "issuer", "add", ISSUER, terms, "--audience", "a", *of
    )
    assert expected_message in message
    assert "c2VjcmV0" not in message


def test_an_issuer_must_be_a_url(settings, of, terms):
    message = run_failing_command(
        settings, "admin", "issuer", "add", "login", terms, "--audience", "a", *of
    )
    assert message.startswith("issuer: ")


def test_an_unknown_organisation_cannot_trust_an_issuer(settings, terms):
    of = "--organisation", UNKNOWN_ORGANISATION
    assert run_failing_command(settings, "admin", "issuer", "add", ISSUER, terms, "--hooks", *of)
