"""Idempotency over HTTP: a named request is done once, also where the service dies in between."""

import json
import signal
import urllib.error
import urllib.request
from http.client import HTTPException

import pytest
from support.builders import build_fixture_settings, clinic, do, request, run_concurrently
from support.callers import audited, calling
from support.faults.failing_storage import die_before_answering
from support.path_resources import create_resource
from support.servers.processes import run, serving

from api.store.accounts import clients

HERE = "/v1/screenings"
KEY = "Idempotency-Key"


def count(client) -> int:
    return len(client.get(f"{HERE}?limit=100").json()["screenings"])


class TestANamedRequest:
    def test_sent_again_is_answered_alike_and_says_so(self, kept_client, kept_service, kept_clinic):
        first, second = (
            kept_client.post(HERE, json=request(), headers={KEY: "a"}) for _ in range(2)
        )
        assert (first.status_code, second.status_code) == (201, 201)
        assert second.content == first.content
        assert second.headers["location"] == first.headers["location"]
        assert "idempotency-replayed" not in first.headers
        assert second.headers["idempotency-replayed"] == "true"
        row = audited(kept_service, kept_clinic)[-1]
        assert (row.outcome, row.target) == ("replayed", first.json()["id"])
        assert count(kept_client) == 1

    def test_shows_a_secret_again_to_the_same_client_alone(
        self, kept_service, kept_client, kept_clinic
    ):
        owner = create_resource(
            kept_client, "/v1/clients", {"name": "Tablet", "scopes": ["score"]}
        )["id"]
        store, scopes = kept_service.services.store, ["score", "clients:admin"]
        another = do(store, kept_clinic, clients.add_client, "another", scopes)
        stranger = calling(kept_service, kept_clinic._replace(client=another.id), scopes)
        path = f"/v1/clients/{owner}/secrets"
        first, again, foreign_id = (
            value.post(path, headers={KEY: "a"}).json()["text"]
            for value in (kept_client, kept_client, stranger)
        )
        assert first == again
        assert foreign_id != first

    def test_quoted_and_bare_are_equal(self, kept_client):
        bare = create_resource(kept_client, HERE, request(), **{KEY: "a b"})
        assert create_resource(kept_client, HERE, request(), **{KEY: '"a b"'}) == bare

    def test_of_another_order_and_spacing_is_the_same(self, kept_client):
        body = request()
        first = create_resource(kept_client, HERE, body, **{KEY: "a"})
        reordered_body = json.dumps(dict(reversed(body.items())), indent=3)
        headers = {KEY: "a", "Content-Type": "application/json"}
        assert kept_client.post(HERE, content=reordered_body, headers=headers).json() == first

    def test_with_another_body_is_another_request(self, kept_client):
        create_resource(kept_client, HERE, request(), **{KEY: "a"})
        response = kept_client.post(HERE, json=request("other"), headers={KEY: "a"})
        assert (response.status_code, response.json()["type"]) == (
            422,
            "/problems/idempotency_key_reused",
        )
        assert count(kept_client) == 1

    def test_that_was_refused_leaves_its_name_free(self, kept_client):
        refusal = kept_client.post(HERE, json=request() | {"note": 5}, headers={KEY: "a"})
        assert refusal.status_code == 422
        create_resource(kept_client, HERE, request(), **{KEY: "a"})

    def test_of_another_client_or_organisation_is_its_own(
        self, kept_service, kept_clinic, kept_client, other_client
    ):
        store = kept_service.services.store
        second = do(store, kept_clinic, clients.add_client, "second", ["screenings:write"])
        colleague = calling(kept_service, kept_clinic._replace(client=second.id), second.scopes)
        ids = {
            create_resource(value, HERE, request(), **{KEY: "a"})["id"]
            for value in (kept_client, colleague, other_client)
        }
        assert len(ids) == 3

    def test_at_another_address_is_its_own(self, kept_client):
        here = create_resource(kept_client, HERE, request(), **{KEY: "a"})["links"]["self"]
        create_resource(kept_client, f"{here}/entered-in-error", {"reason": "x"}, **{KEY: "a"})

    @pytest.mark.parametrize("name", ["", '"', '""', "a" * 258, '"a', 'a"b', "caf\xe9", "a\tb"])
    def test_has_a_plain_name(self, kept_client, name):
        headers = [(KEY.encode(), name.encode("latin-1"))]
        response = kept_client.post(HERE, json=request(), headers=headers)
        assert response.status_code == 422
        assert count(kept_client) == 0

    def test_has_one_name(self, kept_client):
        response = kept_client.post(HERE, json=request(), headers=[(KEY, "a"), (KEY, "b")])
        assert response.status_code == 422

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/v1/clients", {"name": "a", "scopes": ["score"]}),
            ("/v1/practitioners", {"reference": "1", "name": "Dr G"}),
            ("/v1/patients/holds", {"reference": "1", "reason": "x"}),
        ],
    )
    def test_is_done_once_wherever_something_is_made(self, kept_client, path, body):
        assert create_resource(kept_client, path, body, **{KEY: "a"}) == create_resource(
            kept_client, path, body, **{KEY: "a"}
        )

    def test_for_a_secret_gives_the_same_secret(self, kept_client, kept_clinic):
        path = f"/v1/clients/{kept_clinic.client}/secrets"
        first = kept_client.post(path, headers={KEY: "a"})
        assert kept_client.post(path, headers={KEY: "a"}).content == first.content


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request, tmp_path_factory):
    """Settings of a store that a real server is to serve."""
    return build_fixture_settings(request, tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def token(server):
    assert run(server, "admin", "first").returncode == 0
    process = run(server, "token", "--minutes", "15")
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


def send(address: str, token: str, key: str, body: dict) -> tuple[int, bytes]:
    """Post a screening under this key and return status and body."""
    post_request = urllib.request.Request(  # noqa: S310 - loopback
        address + HERE,
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json", KEY: key},
    )
    try:
        with urllib.request.urlopen(post_request, timeout=30) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def list_stored_ids(address: str, token: str, patient: str) -> list[str]:
    get_request = urllib.request.Request(  # noqa: S310 - loopback
        f"{address}{HERE}?patient={patient}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(get_request, timeout=30) as answer:  # noqa: S310 - loopback
        return [screening["id"] for screening in json.loads(answer.read())["screenings"]]


def test_eight_at_once_make_one_screening_and_eight_equal_answers(server, token):
    with serving(server) as running:
        answers = run_concurrently(
            8, lambda _: send(running.address, token, "eight", request("EIGHT"))
        )
        assert {status for status, _ in answers} == {201}
        assert len({body for _, body in answers}) == 1
        assert list_stored_ids(running.address, token, "EIGHT") == [json.loads(answers[0][1])["id"]]


def test_a_service_killed_between_writing_and_answering_gives_the_first_answer_when_asked_again(
    server, token
):
    with (
        serving(server, prepare=die_before_answering) as running,
        pytest.raises((OSError, HTTPException)),
    ):
        send(running.address, token, "killed", request("KILLED"))
    assert running.process.returncode == -signal.SIGKILL
    with serving(server) as running:
        (before,) = list_stored_ids(running.address, token, "KILLED")
        status, body = send(running.address, token, "killed", request("KILLED"))
        assert (status, json.loads(body)["id"]) == (201, before)
        assert list_stored_ids(running.address, token, "KILLED") == [before]
    assert run(server, "audit", "verify").returncode == 0


def test_a_clinic_of_its_own_needs_no_name(kept_service):
    client = calling(kept_service, clinic(kept_service.services.store))
    assert (
        create_resource(client, HERE, request())["id"]
        != create_resource(client, HERE, request())["id"]
    )
