"""`serve --workers 2`: two processes on one port, of which either may be killed at any moment."""

import http.client
import json
import os
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support import builders
from support.faults.concurrent_writers import Writers
from support.servers.processes import run, serving

from api.security.tokens.access_tokens import AccessTokens
from api.store.accounts import clients
from api.store.audit import chain

PATIENCE_SECONDS = 60
REQUESTS = 24


def list_workers(parent: int) -> set[int]:
    """The processes of the server below its parent."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    return {int(pid) for pid in children.split() if is_worker(int(pid))}


def is_worker(pid: int) -> bool:
    return b"--worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def ask(address: str, method: str, path: str, token: str = "", body: object = None):
    """The status and body of one request on a connection of its own."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=PATIENCE_SECONDS)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content.decode()


def count_scored(address: str) -> float:
    """How many requests to score the service says that it answered."""
    _, text = ask(address, "GET", "/metrics")
    prefix = 'nociscreen_requests_total{method="POST",route="/v1/score",status="200"} '
    return sum(
        float(line.removeprefix(prefix)) for line in text.splitlines() if line.startswith(prefix)
    )


def wait_until(condition) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("store_settings", ["postgres"], indirect=True)
def test_one_killed_worker_is_not_missed_and_a_revoked_client_is_refused(store_settings, own_store):
    settings, store = store_settings, own_store
    clinic = builders.clinic(store)
    tokens = AccessTokens(
        settings.issuer, settings.audience, store.signing_keys.look_up_trusted_key
    )
    token = builders.token(store, tokens, clinic)
    intake = builders.load_example("phq4")
    with serving(settings, words=("--workers", "2")) as server:
        wait_until(lambda: len(list_workers(server.process.pid)) == 2)
        before = list_workers(server.process.pid)
        score = lambda: ask(server.address, "POST", "/v1/score", token, intake)[0]  # noqa: E731
        assert {score() for _ in range(REQUESTS)} == {200}
        counts = {count_scored(server.address) for _ in range(REQUESTS)}
        assert counts == {REQUESTS}  # whichever of them answers
        killed = max(before)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in list_workers(server.process.pid))
        assert {score() for _ in range(REQUESTS)} == {200}
        wait_until(lambda: len(list_workers(server.process.pid)) == 2)
        assert count_scored(server.address) == 2 * REQUESTS
        with Writers(server.address, token, 8) as writers:
            wait_until(lambda: len(writers.created_screenings) > 20)
            with store.transaction(clinic.actor) as work:
                clients.update_client(work, clinic.client, {"active": False})
                work.audit("administer", "client", clinic.client)
            assert {score() for _ in range(REQUESTS)} == {401}
        created = len(writers.created_screenings)
        workers = list_workers(server.process.pid)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    with store.read_all_organisations() as session:
        entries = list(chain.read_entries(session, clinic.organisation))
        keys = store.organisation_keys.load_keys(session, clinic.organisation)
        assert chain.verify_chain(session, keys.audit) == ()
    assert len([entry for entry in entries if entry.action == "create"]) == created


def test_several_workers_need_postgres(tmp_path):
    refusal = run(builders.build_store_settings(tmp_path), "serve", "--workers", 2)
    assert refusal.returncode == 2
    assert "--workers needs PostgreSQL" in refusal.stderr
