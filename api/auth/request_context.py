"""Acts: what a route does in the caller's organisation, and for what creates, does once for all."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from fastapi import Request, Response

from api.store import idempotency
from api.store.idempotency import Answer
from api.store.store import Store
from api.store.transaction import Actor, Transaction


class Acts(NamedTuple):
    """The caller at work."""

    store: Store
    actor: Actor

    def transaction(self) -> AbstractContextManager[Transaction]:
        """One unit of work in the caller's organisation, audited or undone."""
        return self.store.transaction(self.actor)


class Creates(NamedTuple):
    """The caller about to create something, under the name given to the request, if any."""

    acts: Acts
    request: Request
    key: str | None

    def once(self, make: Callable[[Transaction], Answer]) -> Response:
        """What `make` answers, done in one transaction; under a key, done once for all.

        Raises Problem as `idempotency.once` does, and whatever `make` raises.
        """
        with self._in_turn(), self.acts.transaction() as work:
            answer = self._once(work, make) if self._key else make(work)
        headers = {"Location": answer.location} if answer.location else {}
        if answer.replayed:
            headers["Idempotency-Replayed"] = "true"
        return Response(
            answer.body, status_code=answer.status, headers=headers, media_type="application/json"
        )

    @property
    def _key(self) -> str | None:
        """The key, whether it came quoted or bare."""
        return self.key[1:-1] if self.key and self.key.startswith('"') else self.key

    @property
    def _route(self) -> str:
        return f"{self.request.method} {self.request.url.path}"[:200]

    def _in_turn(self) -> AbstractContextManager[None]:
        """Alone under the key; without one there is nobody to wait for."""
        if not self._key:
            return nullcontext()
        actor = self.acts.actor
        name = actor.organisation, actor.id, self._route, self._key
        return idempotency.in_turn(self.acts.store.under_way, name)

    def _once(self, work: Transaction, make: Callable[[Transaction], Answer]) -> Answer:
        named = idempotency.named(work, self._route, self._key or "", self._told())
        return idempotency.once(work, named, lambda: make(work))

    def _told(self) -> bytes:
        """The request in one spelling: order of members and white space make no other request."""
        value: Any = getattr(self.request, "_json", None)
        query = sorted(self.request.query_params.multi_items())
        return json.dumps([value, query], sort_keys=True, default=str).encode()
