"""Clients, practitioners and callers: what is taken back no longer holds, at once."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
import time_machine
from support.builders import clinic, do, run_concurrently, tampering_connection

from api.security.client_secrets import parse_api_key
from api.security.keys import generate_signing_key
from api.security.tokens.access_tokens import Principal
from api.security.tokens.client_assertions import VerifiedAssertion
from api.store.accounts import callers, clients, organisations, practitioners
from api.store.errors import ConflictError, NotFoundError

TOMORROW = datetime.now(UTC) + timedelta(days=1)


def by_token(store, owner, scopes=("score", "clients:admin")):
    principal = Principal(
        owner.client, owner.organisation, frozenset(scopes), 4_000_000_000, "token"
    )
    return callers.resolve_principal(store, principal)


def api_key(store, owner, scopes=("score",), expires_at=TOMORROW):
    credential, text = do(
        store, owner, clients.add_api_key, owner.client, scopes, expires_at, test=False
    )
    return credential.id, parse_api_key(text)


def jwk_of(key):
    return {name: value for name, value in key.to_public_jwk().items() if name != "use"}


def test_a_client_may_do_what_both_it_and_its_token_may(store):
    owner = clinic(store, scopes=("score", "screenings:read"))
    caller = by_token(store, owner)
    assert (caller.client, caller.organisation) == (owner.client, owner.organisation)
    assert caller.scopes == {"score"}
    assert not caller.test


def test_a_token_of_another_organisation_finds_no_caller(store):
    owner, other = clinic(store), clinic(store)
    assert by_token(store, owner._replace(organisation=other.organisation)) is None
    assert by_token(store, owner._replace(client="c-none")) is None


@pytest.mark.parametrize("deactivated", ["client", "organisation"])
def test_a_deactivated_caller_is_refused_at_once_for_every_credential(store, deactivated):
    owner = clinic(store)
    _, read = api_key(store, owner)

    def resolve_callers():
        return [
            by_token(store, owner),
            callers.authenticate_secret(store, owner.client, owner.secret),
            callers.authenticate_api_key(store, *read),
            callers.look_up_client(store, owner.client),
        ]

    assert all(resolve_callers())
    for active in (False, True):
        if deactivated == "client":
            do(store, owner, clients.update_client, owner.client, {"active": active})
        else:
            do(store, owner, organisations.update_organisation, {"active": active})
        assert [caller is not None for caller in resolve_callers()] == [active] * 4


def test_a_scope_that_is_withdrawn_is_so_at_once(store):
    owner = clinic(store, scopes=("score", "clients:admin"))
    _, read = api_key(store, owner, scopes=("score", "clients:admin"))
    do(store, owner, clients.update_client, owner.client, {"scopes": ["score"]})
    assert by_token(store, owner).scopes == {"score"}
    assert callers.authenticate_api_key(store, *read).scopes == {"score"}
    with pytest.raises(ValueError, match="must be one of"):
        do(store, owner, clients.update_client, owner.client, {"scopes": ["everything"]})


def test_two_secrets_live_at_once_and_no_third(store):
    owner = clinic(store)
    second, text = do(store, owner, clients.add_secret, owner.client)
    with pytest.raises(ConflictError):
        do(store, owner, clients.add_secret, owner.client)
    assert callers.authenticate_secret(store, owner.client, owner.secret)
    assert callers.authenticate_secret(store, owner.client, text)
    do(store, owner, clients.revoke_secret, owner.client, second.id)
    assert callers.authenticate_secret(store, owner.client, text) is None
    assert callers.authenticate_secret(store, owner.client, owner.secret)
    with pytest.raises(NotFoundError):
        do(store, owner, clients.revoke_secret, owner.client, second.id)


def test_a_secret_holds_until_it_expires_and_frees_its_place(store):
    owner = clinic(store)
    _, text = do(store, owner, clients.add_secret, owner.client, TOMORROW)
    with time_machine.travel(TOMORROW - timedelta(seconds=1), tick=False):
        assert callers.authenticate_secret(store, owner.client, text)
    with time_machine.travel(TOMORROW, tick=False):
        assert callers.authenticate_secret(store, owner.client, text) is None
        assert do(store, owner, clients.add_secret, owner.client)


def test_a_secret_is_its_own_clients_alone(store):
    owner, other = clinic(store), clinic(store)
    assert callers.authenticate_secret(store, other.client, owner.secret) is None
    assert callers.authenticate_secret(store, owner.client, "nss_wrong") is None
    with pytest.raises(NotFoundError):
        do(store, other, clients.add_secret, owner.client)


def test_an_api_key_holds_until_it_expires_or_is_revoked(store):
    owner = clinic(store)
    first, read = api_key(store, owner)
    _, beside = api_key(store, owner)
    with pytest.raises(ConflictError):
        api_key(store, owner)
    assert callers.authenticate_api_key(store, *read).scopes == {"score"}
    assert callers.authenticate_api_key(store, read[0], "0" * 64) is None
    with time_machine.travel(TOMORROW, tick=False):
        assert callers.authenticate_api_key(store, *read) is None
    do(store, owner, clients.revoke_api_key, owner.client, first)
    assert callers.authenticate_api_key(store, *read) is None
    assert callers.authenticate_api_key(store, *beside)
    for holder in (owner, clinic(store)):
        with pytest.raises(NotFoundError):
            do(store, holder, clients.revoke_api_key, owner.client, first)


def test_an_api_key_may_do_no_more_than_its_client(store):
    owner = clinic(store, scopes=("score",))
    with pytest.raises(ValueError, match="its client lacks"):
        api_key(store, owner, scopes=("clients:admin",))


def test_a_public_key_is_found_by_its_name_until_it_is_taken_back(store):
    owner, key = clinic(store), generate_signing_key("ES384")
    do(store, owner, clients.add_client_key, owner.client, jwk_of(key))
    assert callers.look_up_client_key(store, owner.client, key.kid).public_pem
    with pytest.raises(ConflictError):
        do(store, owner, clients.add_client_key, owner.client, jwk_of(key))
    assert callers.look_up_client_key(store, clinic(store).client, key.kid) is None
    assert [
        stored_key.kid for stored_key in do(store, owner, clients.find_client, owner.client).keys
    ] == [key.kid]
    do(store, owner, clients.revoke_client_key, owner.client, key.kid)
    assert callers.look_up_client_key(store, owner.client, key.kid) is None


def test_an_assertion_is_used_once_by_each_client(store):
    owner, other = clinic(store), clinic(store)
    assertion = VerifiedAssertion(owner.client, "jti", 4_000_000_000)
    elsewhere = assertion._replace(client=other.client)
    assert do(store, owner, callers.consume_assertion, assertion, 60)
    assert not do(store, owner, callers.consume_assertion, assertion, 60)
    assert do(store, other, callers.consume_assertion, elsewhere, 60)


def test_a_client_is_listed_with_what_lives(store):
    owner = clinic(store)
    api_key(store, owner)
    (listed_client,) = do(store, owner, clients.list_clients)
    assert len(listed_client.secrets) == len(listed_client.api_keys) == 1
    assert owner.secret not in listed_client.model_dump_json()


def test_a_practitioner_is_the_organisations_own(store):
    owner, other = clinic(store), clinic(store)
    person = do(store, owner, practitioners.add_practitioner, "dr-1", "Dr One", ["score"])
    with pytest.raises(ConflictError):
        do(store, owner, practitioners.add_practitioner, "dr-1", "Dr Two", ["score"])
    do(store, other, practitioners.add_practitioner, "dr-1", "Dr Three", ["score"])
    changed = do(
        store, owner, practitioners.update_practitioner, person.id, {"active": False, "scopes": []}
    )
    assert (changed.active, changed.scopes, changed.name) == (False, (), "Dr One")
    assert do(store, owner, practitioners.list_practitioners) == [changed]
    with pytest.raises(NotFoundError):
        do(store, other, practitioners.update_practitioner, person.id, {"name": "Mine"})


def test_a_change_holds_for_the_next_look_up_while_others_look_up(store):
    owner = clinic(store)
    stop = Event()

    def act(number):
        if number:
            while not stop.is_set():
                by_token(store, owner)
            return None
        try:
            outcomes = []
            for active in [False, True] * 20:
                do(store, owner, clients.update_client, owner.client, {"active": active})
                outcomes.append((active, by_token(store, owner) is not None))
            return outcomes
        finally:
            stop.set()

    assert run_concurrently(4, act)[0] == [(False, False), (True, True)] * 20


def test_look_ups_leave_no_connection_that_sees_every_organisation(store):
    owner = clinic(store)
    assert by_token(store, owner)
    if store.database.is_embedded:
        pytest.skip("row-level security is PostgreSQL's")
    with ExitStack() as stack:
        counts = [
            stack.enter_context(store.database.begin_read())
            .exec_driver_sql("SELECT count(*) FROM client")
            .scalar()
            for _ in range(5)
        ]
    assert counts == [0] * 5


def test_a_look_up_survives_that_the_server_closed_its_connection(store):
    owner = clinic(store)
    assert by_token(store, owner)
    if store.database.is_embedded:
        pytest.skip("SQLite has no server")
    with tampering_connection(store) as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert by_token(store, owner)
