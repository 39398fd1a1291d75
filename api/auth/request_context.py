"""The context of a request: store, actor, transaction and idempotency key."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from api.store import idempotency
from api.store.group_commit import NotGroupedError
from api.store.idempotency import IdempotentResponse
from api.store.store import Store
from api.store.transaction import Actor, Transaction

Handler = Callable[[Transaction], IdempotentResponse]
Result = TypeVar("Result")


class RequestContext(NamedTuple):
    """The store and the authenticated actor of one request."""

    store: Store
    actor: Actor

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin a unit of work in the caller's organisation; its audit rows commit with it."""
        return self.store.transaction(self.actor)

    def run_with_others(self, act: Callable[[Transaction], Result]) -> Result:
        """Run a unit of work in one transaction with others that wait, or alone if that fails.

        Call it on a thread: it waits for the commit. The act may run twice.
        """
        try:
            result: Result = self.store.group_commit.submit(self.actor, act).result()
        except NotGroupedError:
            with self.transaction() as work:
                return act(work)
        return result

    def run_once(
        self, route: str, key: str, content: bytes, handler: Handler
    ) -> IdempotentResponse:
        """Run the handler in one transaction, once for each key; otherwise answer as before."""
        name = self.actor.organisation, self.actor.id, route, key
        with (
            idempotency.lock_idempotency_key(self.store.key_locks, name),
            self.transaction() as work,
        ):
            request = idempotency.build_keyed_request(work, route, key, content)
            return idempotency.run_once(work, request, lambda: handler(work))

    async def run_grouped(
        self, key: tuple[str, str, bytes] | None, handler: Handler
    ) -> IdempotentResponse:
        """Run the handler in one transaction with the other writes that wait.

        `key` is route, idempotency key and content of the request. Raises NotGroupedError, after
        which nothing of it is stored.
        """

        def act(work: Transaction) -> IdempotentResponse:
            if key is None:
                return handler(work)
            request = idempotency.build_keyed_request(work, *key)
            return idempotency.run_once(work, request, lambda: handler(work))

        return await asyncio.wrap_future(self.store.group_commit.submit(self.actor, act))


class IdempotentRequest(NamedTuple):
    """A request that creates something, with its `Idempotency-Key` if it has one."""

    context: RequestContext
    request: Request
    key: str | None

    def run_once(self, handler: Handler) -> Response:
        """Run the handler in one transaction and return its answer; under a key, run it once."""
        key = self._describe_key()
        if key is not None:
            return _build_response(self.context.run_once(*key, handler))
        with self.context.transaction() as work:
            answer = handler(work)
        return _build_response(answer)

    async def run_grouped(self, grouped: Handler, alone: Handler) -> Response:
        """Run `grouped` in one transaction with other requests; if that fails, run `alone`."""
        try:
            return _build_response(await self.context.run_grouped(self._describe_key(), grouped))
        except NotGroupedError:
            return await run_in_threadpool(self.run_once, alone)

    def _describe_key(self) -> tuple[str, str, bytes] | None:
        """Return route, key and content of the request; None without a key."""
        if not self.key:
            return None
        key = self.key[1:-1] if self.key.startswith('"') else self.key
        route = f"{self.request.method} {self.request.url.path}"[:200]
        return route, key, self._canonical_request()

    def _canonical_request(self) -> bytes:
        """Serialise the request so that the order of members and white space do not matter."""
        body: Any = getattr(self.request, "_json", None)
        query = sorted(self.request.query_params.multi_items())
        return json.dumps([body, query], sort_keys=True, default=str).encode()


def _build_response(answer: IdempotentResponse) -> Response:
    headers = {"Location": answer.location} if answer.location else {}
    if answer.is_replay:
        headers["Idempotency-Replayed"] = "true"
    return Response(
        answer.body, status_code=answer.status, headers=headers, media_type="application/json"
    )
