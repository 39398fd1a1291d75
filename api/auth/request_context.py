"""The context of a request: store, actor, transaction and idempotency key."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from fastapi import Request, Response

from api.store import idempotency
from api.store.idempotency import IdempotentResponse
from api.store.store import Store
from api.store.transaction import Actor, Transaction


class RequestContext(NamedTuple):
    """The store and the authenticated actor of one request."""

    store: Store
    actor: Actor

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin a unit of work in the caller's organisation; its audit rows commit with it."""
        return self.store.transaction(self.actor)


class IdempotentRequest(NamedTuple):
    """A request that creates something, with its `Idempotency-Key` if it has one."""

    context: RequestContext
    request: Request
    key: str | None

    def run_once(self, handler: Callable[[Transaction], IdempotentResponse]) -> Response:
        """Run the handler in one transaction and return its answer; under a key, run it once.

        Raises Problem as `idempotency.once` does, and what the handler raises.
        """
        with self._lock(), self.context.transaction() as work:
            answer = self._run_under_key(work, handler) if self._key else handler(work)
        headers = {"Location": answer.location} if answer.location else {}
        if answer.is_replay:
            headers["Idempotency-Replayed"] = "true"
        return Response(
            answer.body, status_code=answer.status, headers=headers, media_type="application/json"
        )

    @property
    def _key(self) -> str | None:
        """The key without quotes."""
        return self.key[1:-1] if self.key and self.key.startswith('"') else self.key

    @property
    def _route(self) -> str:
        return f"{self.request.method} {self.request.url.path}"[:200]

    def _lock(self) -> AbstractContextManager[None]:
        """Hold the lock of the key; without a key there is none."""
        if not self._key:
            return nullcontext()
        actor = self.context.actor
        name = actor.organisation, actor.id, self._route, self._key
        return idempotency.lock_idempotency_key(self.context.store.key_locks, name)

    def _run_under_key(
        self, work: Transaction, make: Callable[[Transaction], IdempotentResponse]
    ) -> IdempotentResponse:
        record = idempotency.build_keyed_request(
            work, self._route, self._key or "", self._canonical_request()
        )
        return idempotency.run_once(work, record, lambda: make(work))

    def _canonical_request(self) -> bytes:
        """Serialise the request so that the order of members and white space do not matter."""
        body: Any = getattr(self.request, "_json", None)
        query = sorted(self.request.query_params.multi_items())
        return json.dumps([body, query], sort_keys=True, default=str).encode()
