"""Idempotency keys: a request runs once, and a repetition gets the stored response.

The response is stored in the transaction of the effect, so one never exists without the other.
A repetition that arrives while the first request runs waits outside of any transaction: with a
single-writer database a second transaction could not begin.
"""

import json
import secrets
import zlib
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import col

from api.store.database.tables import AnsweredRow
from api.store.errors import ConflictError, IdempotencyKeyReusedError
from api.store.locks import KeyedLocks
from api.store.transaction import Transaction

RESPONSE_RETENTION = timedelta(hours=24)
WAIT_SECONDS = 10.0


class IdempotentResponse(NamedTuple):
    """The response to an idempotent request, and the screening it belongs to."""

    status: int
    body: bytes
    location: str | None = None
    screening_id: str | None = None
    is_replay: bool = False


class KeyedRequest(NamedTuple):
    """A request by its idempotency key: keyed hashes of the key and of the whole request."""

    route: str
    key_hash: str
    request_hash: str


@contextmanager
def lock_idempotency_key(key_locks: KeyedLocks, name: Hashable) -> Iterator[None]:
    """Lock a name in this process. Raises ConflictError if it is not free after 10 seconds."""
    with ExitStack() as stack:
        try:
            stack.enter_context(key_locks.acquire(name, WAIT_SECONDS))
        except TimeoutError:
            raise _still_running() from None
        yield


def generate_idempotency_key() -> str:
    """Return a new random idempotency key, for a form that a page will submit."""
    return secrets.token_urlsafe(16)


def build_keyed_request(work: Transaction, route: str, key: str, request: bytes) -> KeyedRequest:
    """Return the request to this route with this idempotency key, both as keyed hashes."""
    return KeyedRequest(
        route, work.compute_fingerprint(key.encode()), work.compute_fingerprint(request)
    )


def run_once(
    work: Transaction, request: KeyedRequest, handler: Callable[[], IdempotentResponse]
) -> IdempotentResponse:
    """Return the stored response to this request, or run it now and store its response.

    Raises IdempotencyKeyReusedError if the key was used with another body, and ConflictError if
    another process is still running the first request after 10 seconds.
    """
    is_expired = col(AnsweredRow.created_at) < work.now - RESPONSE_RETENTION
    work.delete(AnsweredRow, *_match_request(work, request), is_expired)
    if (response := _load_response(work, request)) is not None:
        return response
    try:
        with work.session.begin_nested():
            reservation = request._asdict() | {"actor": work.actor.id, "created_at": work.now}
            work.insert(AnsweredRow, reservation | {"key_id": work.current_key_id})
    except IntegrityError:
        response = _load_response(work, request)
        if response is None:
            raise _still_running() from None
        return response
    except OperationalError as error:
        if type(error.orig).__name__ == "LockNotAvailable":
            raise _still_running() from None
        raise
    answer = handler()
    _store_response(work, request, answer)
    return answer


def delete_responses(work: Transaction, route: str, matches: Callable[[bytes], bool]) -> None:
    """Delete the stored responses of a route whose body matches.

    Not needed for screenings: their responses are deleted with the screening's row.
    """
    query = work.select(AnsweredRow).where(
        col(AnsweredRow.route) == route, col(AnsweredRow.content).is_not(None)
    )
    for row in work.list_rows(query):
        if matches(_decrypt_response(work, row)[1].encode()):
            request = KeyedRequest(row.route, row.key_hash, row.request_hash)
            work.delete(AnsweredRow, *_match_request(work, request, row.actor))


def delete_responses_naming(work: Transaction, route: str, ids: Collection[str]) -> None:
    """Delete the stored responses of a route whose JSON body has one of these ids."""
    delete_responses(work, route, lambda body: json.loads(body).get("id") in ids)


def _load_response(work: Transaction, request: KeyedRequest) -> IdempotentResponse | None:
    row = work.find(AnsweredRow, *_match_request(work, request))
    if row is None:
        return None
    if row.request_hash != request.request_hash:
        raise IdempotencyKeyReusedError
    if row.content is None or row.status is None:
        return None
    location, body = _decrypt_response(work, row)
    work.audit("read", "answer", row.screening_id or "", outcome="replayed")
    return IdempotentResponse(row.status, body.encode(), location, row.screening_id, is_replay=True)


def _decrypt_response(work: Transaction, row: AnsweredRow) -> tuple[str | None, str]:
    location, body = json.loads(zlib.decompress(work.decrypt_column(row, "content")))
    return location, body


def _store_response(work: Transaction, request: KeyedRequest, answer: IdempotentResponse) -> None:
    content = zlib.compress(json.dumps([answer.location, answer.body.decode()]).encode(), 1)
    row_name = f"{work.actor.id}|{request.route}|{request.key_hash}"
    values = {
        "status": answer.status,
        "screening_id": answer.screening_id,
        **work.encrypt_columns(AnsweredRow, row_name, content=content),
    }
    work.update(AnsweredRow, values, *_match_request(work, request))


def _match_request(
    work: Transaction, request: KeyedRequest, actor: str | None = None
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for the row of a request; the actor defaults to the current one."""
    return (
        col(AnsweredRow.actor) == (actor or work.actor.id),
        col(AnsweredRow.route) == request.route,
        col(AnsweredRow.key_hash) == request.key_hash,
    )


def _still_running() -> ConflictError:
    return ConflictError(
        "The first request with this idempotency key is still running.", retry_after=2
    )
