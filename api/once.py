"""Answering once: a request that creates, done and answered, or answered again as it was."""

import json
from collections.abc import Callable
from typing import Any

from fastapi import Request, Response

from api.store import idempotency
from api.store.idempotency import Answer
from api.store.store import Store
from api.store.transaction import Actor, Transaction


def answer_once(
    store: Store,
    actor: Actor,
    request: Request,
    key: str | None,
    make: Callable[[Transaction], Answer],
) -> Response:
    """What `make` answers, done in one transaction; under a key, done once for all."""
    with store.transaction(actor) as work:
        if key is None:
            answer = make(work)
        else:
            bare = key[1:-1] if key.startswith('"') else key
            named = idempotency.named(work, _route(request), bare, _told(request))
            answer = idempotency.once(work, named, lambda: make(work))
    headers = {"Location": answer.location} if answer.location else {}
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(
        answer.body, status_code=answer.status, headers=headers, media_type="application/json"
    )


def _route(request: Request) -> str:
    return f"{request.method} {request.url.path}"[:200]


def _told(request: Request) -> bytes:
    """The request in one spelling: order of members and white space make no other request."""
    value: Any = getattr(request, "_json", None)
    query = sorted(request.query_params.multi_items())
    return json.dumps([value, query], sort_keys=True, default=str).encode()
