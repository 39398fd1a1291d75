"""Idempotency over HTTP: a named request is done once, also where the service dies in between."""

import json
import signal
import sys
import urllib.error
import urllib.request
from http.client import HTTPException

import pytest
from support.builders import at_once, clinic, do, kept_on, request
from support.callers import audited, calling
from support.path_resources import made
from support.processes import run, serving

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
        owner = made(kept_client, "/v1/clients", {"name": "Tablet", "scopes": ["score"]})["id"]
        another = do(
            kept_service.state.store, kept_clinic, clients.add_client, "another", ["admin"]
        )
        stranger = calling(kept_service, kept_clinic._replace(client=another.id), ["admin"])
        path = f"/v1/clients/{owner}/secrets"
        first, again, theirs = (
            each.post(path, headers={KEY: "a"}).json()["text"]
            for each in (kept_client, kept_client, stranger)
        )
        assert first == again
        assert theirs != first

    def test_quoted_and_bare_are_equal(self, kept_client):
        bare = made(kept_client, HERE, request(), **{KEY: "a b"})
        assert made(kept_client, HERE, request(), **{KEY: '"a b"'}) == bare

    def test_of_another_order_and_spacing_is_the_same(self, kept_client):
        body = request()
        first = made(kept_client, HERE, body, **{KEY: "a"})
        turned = json.dumps(dict(reversed(body.items())), indent=3)
        headers = {KEY: "a", "Content-Type": "application/json"}
        assert kept_client.post(HERE, content=turned, headers=headers).json() == first

    def test_with_another_body_is_another_request(self, kept_client):
        made(kept_client, HERE, request(), **{KEY: "a"})
        response = kept_client.post(HERE, json=request("other"), headers={KEY: "a"})
        assert (response.status_code, response.json()["type"]) == (422, "/problems/other_request")
        assert count(kept_client) == 1

    def test_that_was_refused_leaves_its_name_free(self, kept_client):
        refused = kept_client.post(HERE, json=request() | {"note": 5}, headers={KEY: "a"})
        assert refused.status_code == 422
        made(kept_client, HERE, request(), **{KEY: "a"})

    def test_of_another_client_or_organisation_is_its_own(
        self, kept_service, kept_clinic, kept_client, other_client
    ):
        store = kept_service.state.store
        second = do(store, kept_clinic, clients.add_client, "second", ["screenings:write"])
        colleague = calling(kept_service, kept_clinic._replace(client=second.id), second.scopes)
        ids = {
            made(each, HERE, request(), **{KEY: "a"})["id"]
            for each in (kept_client, colleague, other_client)
        }
        assert len(ids) == 3

    def test_at_another_address_is_its_own(self, kept_client):
        here = made(kept_client, HERE, request(), **{KEY: "a"})["links"]["self"]
        made(kept_client, f"{here}/entered-in-error", {"reason": "x"}, **{KEY: "a"})

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
        assert made(kept_client, path, body, **{KEY: "a"}) == made(
            kept_client, path, body, **{KEY: "a"}
        )

    def test_for_a_secret_gives_the_same_secret(self, kept_client, kept_clinic):
        path = f"/v1/clients/{kept_clinic.client}/secrets"
        first = kept_client.post(path, headers={KEY: "a"})
        assert kept_client.post(path, headers={KEY: "a"}).content == first.content


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request, tmp_path_factory):
    """Settings of a store that a real server is to serve."""
    return kept_on(request, tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def token(server):
    if server.database_url is not None:
        assert run(server, "admin", "first").returncode == 0
    done = run(server, "token", "--minutes", "15")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def send(address: str, token: str, key: str, body: dict) -> tuple[int, bytes]:
    """Post a screening under this name; status and body, whatever they are."""
    sent = urllib.request.Request(  # noqa: S310 - loopback
        address + HERE,
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json", KEY: key},
    )
    try:
        with urllib.request.urlopen(sent, timeout=30) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def kept(address: str, token: str, patient: str) -> list[str]:
    asked = urllib.request.Request(  # noqa: S310 - loopback
        f"{address}{HERE}?patient={patient}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - loopback
        return [each["id"] for each in json.loads(answer.read())["screenings"]]


def test_eight_at_once_make_one_screening_and_eight_equal_answers(server, token):
    with serving(server) as served:
        answers = at_once(8, lambda _: send(served.address, token, "eight", request("EIGHT")))
        assert {status for status, _ in answers} == {201}
        assert len({body for _, body in answers}) == 1
        assert kept(served.address, token, "EIGHT") == [json.loads(answers[0][1])["id"]]


DYING = """
import os, signal
from api.auth.request_context import Acts
from api.cli import main
from contextlib import contextmanager

transaction = Acts.transaction

@contextmanager
def last(self):
    with transaction(self) as work:
        yield work
    os.kill(os.getpid(), signal.SIGKILL)

Acts.transaction = last
main()
"""


def test_a_service_killed_between_writing_and_answering_gives_the_first_answer_when_asked_again(
    server, token
):
    dying = (sys.executable, "-c", DYING)
    with serving(server, program=dying) as served, pytest.raises((OSError, HTTPException)):
        send(served.address, token, "killed", request("KILLED"))
    assert served.process.returncode == -signal.SIGKILL
    with serving(server) as served:
        (before,) = kept(served.address, token, "KILLED")
        status, body = send(served.address, token, "killed", request("KILLED"))
        assert (status, json.loads(body)["id"]) == (201, before)
        assert kept(served.address, token, "KILLED") == [before]
    assert run(server, "audit", "verify").returncode == 0


def test_a_clinic_of_its_own_needs_no_name(kept_service):
    client = calling(kept_service, clinic(kept_service.state.store))
    assert made(client, HERE, request())["id"] != made(client, HERE, request())["id"]
