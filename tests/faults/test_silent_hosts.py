"""A foreign host that accepts connections and says nothing: who waits for it, and who does not."""

import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from uuid import uuid4

import httpx2
import pytest
from support import builders
from support.builders import build_store_settings, do
from support.interop.loopback_servers import PATIENCE_SECONDS, Tarpit, running_server
from support.servers.processes import issue_first_token, serving

from api.auth.client_authentication import ASSERTION_TYPE
from api.outbound.bulkhead import MAX_THREADS_PER_SOURCE
from api.security.keys import generate_signing_key
from api.security.signatures import sign_token
from api.store.accounts import clients
from api.store.deliveries import allowed_hosts
from api.store.operations.startup import open_store

STRANGERS = 50


@pytest.fixture
def settings(tmp_path):
    return build_store_settings(tmp_path)


def register_key_set(settings, host_port) -> str:
    """Return a client of another organisation, whose keys are published at this host."""
    store = open_store(settings)
    clinic = builders.clinic(store)
    do(store, clinic, allowed_hosts.add_allowed_host, host_port, private=True)
    url = f"http://127.0.0.1:{host_port.port}/jwks"
    do(store, clinic, clients.set_key_set_url, clinic.client, url)
    store.close()
    return clinic.client


def forge_assertion(client: str) -> dict[str, str]:
    """Return a token request with an assertion in the name of a client."""
    claims = {"iss": client, "sub": client, "aud": "nociscreen", "jti": str(uuid4()),
              "exp": int(time.time()) + 200}  # fmt: skip
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": sign_token(claims, generate_signing_key("ES384"), "JWT"),
    }


def test_silent_hosts_hold_up_nobody_else(settings):
    token = issue_first_token(settings)
    provider, publisher = Tarpit(), Tarpit()
    with (
        running_server(publisher.serve) as publisher_port,
        running_server(provider.serve) as host_port,
        serving(
            settings,
            NOCISCREEN_OIDC_ISSUER=f"http://127.0.0.1:{host_port.port}",
            NOCISCREEN_OIDC_CLIENT_ID="nociscreen",
        ) as server,
        ThreadPoolExecutor(STRANGERS) as strangers,
    ):
        client = register_key_set(settings, publisher_port)

        def call(number: int) -> int:
            if number % 2:
                url = f"{server.address}/v1/oauth/token"
                return httpx2.post(url, data=forge_assertion(client), timeout=60).status_code
            address = {"X-Forwarded-For": f"192.0.2.{number}"}
            url = f"{server.address}/sign-in/provider"
            return httpx2.get(url, headers=address, timeout=60).status_code

        try:
            attempts = [strangers.submit(call, number) for number in range(STRANGERS)]
            refusal_count = STRANGERS - 2 * MAX_THREADS_PER_SOURCE
            statuses = [
                attempt.result() for attempt in islice(as_completed(attempts), refusal_count)
            ]
            assert set(statuses) == {503}
            assert provider.is_reached.wait(PATIENCE_SECONDS)
            assert publisher.is_reached.wait(PATIENCE_SECONDS)
            assert (provider.connections, publisher.connections) == (1, 1)
            headers = {"Authorization": f"Bearer {token}"}
            url = f"{server.address}/v1/score"
            scored = httpx2.post(url, json=builders.request(), headers=headers, timeout=60)
            assert scored.status_code == 200
            assert sum(attempt.done() for attempt in attempts) == refusal_count
        finally:
            provider.may_end.set()
            publisher.may_end.set()
        assert {attempt.result() for attempt in attempts} == {503}
    assert (provider.connections, publisher.connections) == (1, 1)
