"""Clients: what may be live at once holds, however many add to one at the same moment."""

from datetime import UTC, datetime

import pytest
from support.builders import at_once, clinic, do

from api.problems import Problem
from api.security.keys import generate_signing_key
from api.store.accounts import clients

LATER = datetime(2099, 1, 1, tzinfo=UTC)
CROWD = 8


def add_api_key(work, client):
    return clients.add_api_key(work, client, ["score"], LATER, test=False)


@pytest.mark.parametrize("add", [clients.add_secret, add_api_key])
def test_two_are_live_at_once_and_no_more(store, add):
    made = clinic(store)
    client = do(store, made, clients.add_client, "tablet", ["score"]).id
    added = at_once(CROWD, lambda _: do(store, made, add, client))
    refused = [each for each in added if isinstance(each, Problem)]
    assert [each.code for each in refused] == ["conflict"] * (CROWD - 2)
    found = do(store, made, clients.find_client, client)
    assert len(found.secrets) + len(found.api_keys) == 2


def test_a_key_of_one_name_is_registered_once(store):
    made = clinic(store)
    whole = generate_signing_key("ES256").to_public_jwk()
    jwk = {name: whole[name] for name in ("kty", "crv", "x", "y")} | {"kid": "one"}
    added = at_once(CROWD, lambda _: do(store, made, clients.add_client_key, made.client, jwk))
    refused = [each for each in added if isinstance(each, Problem)]
    assert [each.code for each in refused] == ["conflict"] * (CROWD - 1)


def test_nothing_is_added_to_a_client_that_is_not_there(store):
    made, other = clinic(store), clinic(store)
    for add in (clients.add_secret, add_api_key):
        with pytest.raises(Problem, match="not_found"):
            do(store, made, add, other.client)
