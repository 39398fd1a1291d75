"""A network that breaks: who sends again with the same key gets one screening, once."""

import http.client
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from support import builders
from support.builders import build_store_settings
from support.faults import faulty_network
from support.faults.concurrent_writers import RequestRecord, post
from support.faults.faulty_network import CutOffAtCommit, faulty_link
from support.servers.processes import run, serving

from api.outbound.allowlist import HostPort
from api.security.tokens.access_tokens import AccessTokens
from api.store.operations.startup import open_store

ROUNDS = int(os.environ.get("TEST_NETWORK_ROUNDS", "1"))
CLIENTS = 8
FAULTS = (
    faulty_network.refuse,
    faulty_network.cut_off_head,
    faulty_network.cut_off_body,
    faulty_network.lose_answer,
    faulty_network.cut_off_answer,
    faulty_network.leave_before_answer,
    faulty_network.pass_on_in_small_pieces,
    faulty_network.pass_on,
)


def send_until_answered(host: str, port: int, token: str, key: str) -> RequestRecord:
    """Send a screening with this key until an answer arrives whole."""
    while True:
        connection = http.client.HTTPConnection(host, port, timeout=30)
        try:
            answer = post(connection, token, f"MRN-{key}", key)
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
        if answer.status != http.client.SERVICE_UNAVAILABLE:
            return answer


def send_keys(host_port: HostPort, token: str, keys: list[str]) -> dict[str, RequestRecord]:
    """Send one screening with each key, several at the same time."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = clients.map(lambda key: send_until_answered(*host_port, token, key), keys)
        return dict(zip(keys, answers, strict=True))


def assert_one_screening_for_each_key(settings, responses: dict[str, RequestRecord]) -> None:
    assert {response.status for response in responses.values()} == {201}
    answered_ids = sorted(response.body["id"] for response in responses.values())
    store = open_store(settings)
    with store.read_all_organisations() as session:
        stored_ids = session.connection().exec_driver_sql("SELECT id FROM screening").scalars()
        assert sorted(stored_ids) == answered_ids
    store.close()
    assert run(settings, "audit", "verify").returncode == 0


def build_token(settings) -> str:
    """Return an access token of a new organisation."""
    store = open_store(settings)
    find_key = store.signing_keys.look_up_trusted_key
    tokens = AccessTokens(settings.issuer, settings.audience, find_key)
    token = builders.token(store, tokens, builders.clinic(store))
    store.close()
    return token


def test_between_caller_and_service(store_settings):
    token = build_token(store_settings)
    responses = {}
    with serving(store_settings) as server:
        where = urlsplit(server.address)
        with faulty_link(where.hostname, where.port) as (host_port, link):
            for round_number, fault in itertools.product(range(ROUNDS), FAULTS):
                link.faults.extend([fault] * CLIENTS)
                keys = [f"{fault.__name__}-{round_number}-{n}" for n in range(CLIENTS)]
                responses |= send_keys(host_port, token, keys)
                assert not link.faults
    assert_one_screening_for_each_key(store_settings, responses)


@pytest.mark.parametrize("is_committed", [True, False])
def test_between_service_and_database(postgres, migrated, tmp_path, is_committed):
    database = postgres.database(template=migrated)
    settings = build_store_settings(tmp_path, postgres.url(database))
    token = build_token(settings)
    fault = CutOffAtCommit(is_committed=is_committed)
    with faulty_link("127.0.0.1", postgres.port, fault) as (link_port, _):
        url = postgres.url(database).replace(str(postgres.port), str(link_port.port))
        with serving(settings, DATABASE_URL=url) as server:
            fault.is_armed = True
            where = urlsplit(server.address)
            keys = [str(number) for number in range(CLIENTS * 2 * ROUNDS)]
            responses = send_keys(HostPort(where.hostname, where.port), token, keys)
    assert fault.cut_count > CLIENTS
    assert_one_screening_for_each_key(settings, responses)
