"""Requests to a service whose storage fails, and one that dies before it answers."""

import http.client
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from support import builders
from support.faults.concurrent_writers import post

from api.auth.request_context import RequestContext
from api.security.tokens.access_tokens import AccessTokens
from api.store.operations.startup import open_store
from api.store.store import Store
from api.store.transaction import Transaction


def prepared(settings) -> str:
    """Return a token of a new clinic in this store."""
    store = open_store(settings)
    clinic = builders.clinic(store)
    tokens = AccessTokens(
        settings.issuer, settings.audience, store.signing_keys.look_up_trusted_key
    )
    token = builders.token(store, tokens, clinic)
    store.close()
    return token


def keep_one(address: str, token: str, key: str | None = None):
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=40)
    try:
        return post(connection, token, "MRN-1", key)
    finally:
        connection.close()


def refused_for_now(answer) -> bool:
    return (
        answer.status == 503
        and int(answer.retry_after) > 0
        and answer.body["type"] == "/problems/unavailable"
    )


def die_before_answering() -> None:
    """Let this process die once a request has written, before it answers."""
    commit_transaction, commit_group = RequestContext.transaction, Store._run_group

    @contextmanager
    def commit_and_die(context: RequestContext) -> Iterator[Transaction]:
        with commit_transaction(context) as work:
            yield work
        os.kill(os.getpid(), signal.SIGKILL)

    def commit_group_and_die(*arguments: Any) -> list[Any]:
        commit_group(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
        return []

    RequestContext.transaction = commit_and_die  # type: ignore[method-assign]
    Store._run_group = commit_group_and_die  # type: ignore[method-assign]
