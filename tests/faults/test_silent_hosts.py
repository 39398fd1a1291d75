"""A foreign host that accepts connections and says nothing: who waits for it, and who does not."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import httpx2
import pytest
from support import builders
from support.builders import build_store_settings
from support.interop.loopback_servers import running_server
from support.processes import run, serving

from api.outbound.bulkhead import MAX_THREADS_PER_SOURCE

STRANGERS = 50


@pytest.fixture
def settings(tmp_path):
    return build_store_settings(tmp_path)


def test_a_silent_identity_provider_holds_up_nobody_else(settings):
    token = run(settings, "token").stdout.strip()
    may_end, connections = threading.Event(), []

    def stay_silent(connection) -> None:
        connections.append(connection)
        may_end.wait(60)

    with (
        running_server(stay_silent) as host_port,
        serving(
            settings,
            NOCISCREEN_OIDC_ISSUER=f"http://127.0.0.1:{host_port.port}",
            NOCISCREEN_OIDC_CLIENT_ID="nociscreen",
        ) as server,
        ThreadPoolExecutor(STRANGERS) as strangers,
    ):

        def sign_in(number: int) -> int:
            address = {"X-Forwarded-For": f"192.0.2.{number}"}
            url = f"{server.address}/sign-in/provider"
            return httpx2.get(url, headers=address, timeout=60).status_code

        try:
            attempts = [strangers.submit(sign_in, number) for number in range(STRANGERS)]
            refusal_count = STRANGERS - MAX_THREADS_PER_SOURCE
            statuses = [
                attempt.result() for attempt in islice(as_completed(attempts), refusal_count)
            ]
            assert set(statuses) == {503}
            assert len(connections) == 1
            headers = {"Authorization": f"Bearer {token}"}
            url = f"{server.address}/v1/score"
            scored = httpx2.post(url, json=builders.request(), headers=headers, timeout=60)
            assert scored.status_code == 200
            assert sum(attempt.done() for attempt in attempts) == refusal_count
        finally:
            may_end.set()
        assert {attempt.result() for attempt in attempts} == {503}
    assert len(connections) == 1
