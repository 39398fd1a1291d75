"""Clients: what may be live at once holds, however many add to one at the same moment."""

from datetime import UTC, datetime

import pytest
from support.builders import clinic, do, run_concurrently

from api.security.keys import generate_signing_key
from api.store.accounts import clients
from api.store.errors import ConflictError, NotFoundError

LATER = datetime(2099, 1, 1, tzinfo=UTC)
CROWD = 8


def add_api_key(work, client):
    return clients.add_api_key(work, client, ["score"], LATER, test=False)


@pytest.mark.parametrize("add", [clients.add_secret, add_api_key])
def test_two_are_live_at_once_and_no_more(store, add):
    owner = clinic(store)
    client = do(store, owner, clients.add_client, "tablet", ["score"]).id
    outcomes = run_concurrently(CROWD, lambda _: do(store, owner, add, client))
    assert [type(outcome) for outcome in outcomes].count(ConflictError) == CROWD - 2
    stored_client = do(store, owner, clients.find_client, client)
    assert len(stored_client.secrets) + len(stored_client.api_keys) == 2


def test_a_key_of_one_name_is_registered_once(store):
    owner = clinic(store)
    public_jwk = generate_signing_key("ES256").to_public_jwk()
    jwk = {name: public_jwk[name] for name in ("kty", "crv", "x", "y")} | {"kid": "one"}
    outcomes = run_concurrently(
        CROWD, lambda _: do(store, owner, clients.add_client_key, owner.client, jwk)
    )
    assert [type(outcome) for outcome in outcomes].count(ConflictError) == CROWD - 1


def test_nothing_is_added_to_a_client_that_is_not_there(store):
    owner, other = clinic(store), clinic(store)
    for add in (clients.add_secret, add_api_key):
        with pytest.raises(NotFoundError):
            do(store, owner, add, other.client)
