"""Clients, practitioners and callers: what is taken back no longer holds, at once."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from support.builders import clinic, do

from api.problems import Problem
from api.security.access_tokens import Principal
from api.security.client_assertions import VerifiedAssertion
from api.security.client_secrets import parse_api_key
from api.security.keys import generate_signing_key
from api.store.accounts import callers, clients, organisations, practitioners

TOMORROW = datetime.now(UTC) + timedelta(days=1)


def by_token(store, made, scopes=("score", "admin")):
    given = {"client": made.client, "organisation": made.organisation, "scopes": frozenset(scopes),
             "fhir": frozenset()}  # fmt: skip
    empty = dict.fromkeys(Principal._fields) if hasattr(Principal, "_fields") else {}
    return callers.resolve_principal(store, Principal(**{**empty, **given}))


def api_key(store, made, scopes=("score",), expires_at=TOMORROW):
    shown, text = do(store, made, clients.add_api_key, made.client, scopes, expires_at, test=False)
    return shown.id, parse_api_key(text)


def jwk_of(key):
    return {name: value for name, value in key.public_jwk().items() if name != "use"}


def test_a_client_may_do_what_both_it_and_its_token_may(store):
    made = clinic(store, scopes=("score", "screenings:read"))
    caller = by_token(store, made)
    assert (caller.client, caller.organisation) == (made.client, made.organisation)
    assert caller.scopes == {"score"}
    assert not caller.test


def test_a_token_of_another_organisation_finds_nobody(store):
    made, other = clinic(store), clinic(store)
    assert by_token(store, made._replace(organisation=other.organisation)) is None
    assert by_token(store, made._replace(client="c-none")) is None


@pytest.mark.parametrize("closed", ["client", "organisation"])
def test_who_is_shut_out_is_so_at_once_whatever_the_proof(store, closed):
    made = clinic(store)
    _, read = api_key(store, made)

    def found():
        return [
            by_token(store, made),
            callers.authenticate_secret(store, made.client, made.secret),
            callers.authenticate_api_key(store, *read),
            callers.look_up_client(store, made.client),
        ]

    assert all(found())
    for active in (False, True):
        if closed == "client":
            do(store, made, clients.update_client, made.client, {"active": active})
        else:
            do(store, made, organisations.update_organisation, {"active": active})
        assert [each is not None for each in found()] == [active] * 4


def test_a_scope_that_is_withdrawn_is_so_at_once(store):
    made = clinic(store, scopes=("score", "admin"))
    _, read = api_key(store, made, scopes=("score", "admin"))
    do(store, made, clients.update_client, made.client, {"scopes": ["score"]})
    assert by_token(store, made).scopes == {"score"}
    assert callers.authenticate_api_key(store, *read).scopes == {"score"}
    with pytest.raises(ValueError, match="scope"):
        do(store, made, clients.update_client, made.client, {"scopes": ["everything"]})


def test_two_secrets_live_at_once_and_no_third(store):
    made = clinic(store)
    second, text = do(store, made, clients.add_secret, made.client)
    with pytest.raises(Problem, match="conflict"):
        do(store, made, clients.add_secret, made.client)
    assert callers.authenticate_secret(store, made.client, made.secret)
    assert callers.authenticate_secret(store, made.client, text)
    do(store, made, clients.revoke_secret, made.client, second.id)
    assert callers.authenticate_secret(store, made.client, text) is None
    assert callers.authenticate_secret(store, made.client, made.secret)
    with pytest.raises(Problem, match="not_found"):
        do(store, made, clients.revoke_secret, made.client, second.id)


def test_a_secret_holds_until_it_expires_and_frees_its_place(store):
    made = clinic(store)
    _, text = do(store, made, clients.add_secret, made.client, TOMORROW)
    with time_machine.travel(TOMORROW - timedelta(seconds=1), tick=False):
        assert callers.authenticate_secret(store, made.client, text)
    with time_machine.travel(TOMORROW, tick=False):
        assert callers.authenticate_secret(store, made.client, text) is None
        assert do(store, made, clients.add_secret, made.client)


def test_a_secret_is_its_own_clients_alone(store):
    made, other = clinic(store), clinic(store)
    assert callers.authenticate_secret(store, other.client, made.secret) is None
    assert callers.authenticate_secret(store, made.client, "nss_wrong") is None
    with pytest.raises(Problem, match="not_found"):
        do(store, other, clients.add_secret, made.client)


def test_an_api_key_holds_until_it_expires_or_is_revoked(store):
    made = clinic(store)
    first, read = api_key(store, made)
    _, beside = api_key(store, made)
    with pytest.raises(Problem, match="conflict"):
        api_key(store, made)
    assert callers.authenticate_api_key(store, *read).scopes == {"score"}
    assert callers.authenticate_api_key(store, read[0], "0" * 64) is None
    with time_machine.travel(TOMORROW, tick=False):
        assert callers.authenticate_api_key(store, *read) is None
    do(store, made, clients.revoke_api_key, made.client, first)
    assert callers.authenticate_api_key(store, *read) is None
    assert callers.authenticate_api_key(store, *beside)
    for whose in (made, clinic(store)):
        with pytest.raises(Problem, match="not_found"):
            do(store, whose, clients.revoke_api_key, made.client, first)


def test_an_api_key_may_do_no_more_than_its_client(store):
    made = clinic(store, scopes=("score",))
    with pytest.raises(ValueError, match="no more"):
        api_key(store, made, scopes=("admin",))


def test_a_public_key_is_found_by_its_name_until_it_is_taken_back(store):
    made, key = clinic(store), generate_signing_key("ES384")
    do(store, made, clients.add_client_key, made.client, jwk_of(key))
    assert callers.look_up_client_key(store, made.client, key.kid).public_pem
    with pytest.raises(Problem, match="conflict"):
        do(store, made, clients.add_client_key, made.client, jwk_of(key))
    assert callers.look_up_client_key(store, clinic(store).client, key.kid) is None
    assert [each.kid for each in do(store, made, clients.find_client, made.client).keys] == [
        key.kid
    ]
    do(store, made, clients.revoke_client_key, made.client, key.kid)
    assert callers.look_up_client_key(store, made.client, key.kid) is None


def test_an_assertion_is_used_once_by_each_client(store):
    made, other = clinic(store), clinic(store)
    assertion = VerifiedAssertion(made.client, "jti", 4_000_000_000)
    do(store, made, callers.consume_assertion, assertion, 60)
    with pytest.raises(Problem, match="bad_client"):
        do(store, made, callers.consume_assertion, assertion, 60)
    do(store, other, callers.consume_assertion, assertion._replace(client=other.client), 60)


def test_a_client_is_listed_with_what_lives(store):
    made = clinic(store)
    api_key(store, made)
    (listed,) = do(store, made, clients.list_clients)
    assert len(listed.secrets) == len(listed.api_keys) == 1
    assert made.secret not in listed.model_dump_json()


def test_a_practitioner_is_the_organisations_own(store):
    made, other = clinic(store), clinic(store)
    person = do(store, made, practitioners.add_practitioner, "dr-1", "Dr One", ["score"])
    with pytest.raises(Problem, match="conflict"):
        do(store, made, practitioners.add_practitioner, "dr-1", "Dr Two", ["score"])
    do(store, other, practitioners.add_practitioner, "dr-1", "Dr Three", ["score"])
    changed = do(
        store, made, practitioners.update_practitioner, person.id, {"active": False, "scopes": []}
    )
    assert (changed.active, changed.scopes, changed.name) == (False, (), "Dr One")
    assert do(store, made, practitioners.list_practitioners) == [changed]
    with pytest.raises(Problem, match="not_found"):
        do(store, other, practitioners.update_practitioner, person.id, {"name": "Mine"})
