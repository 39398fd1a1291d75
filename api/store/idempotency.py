"""Idempotency keys: a request runs once, and a repetition gets the stored response.

The response is stored in the transaction of the effect, so one never exists without the other.
A repetition that arrives while the first request runs waits outside of any transaction: with a
single-writer database a second transaction could not begin.
"""

import json
import secrets
import zlib
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import col

from api.problems import Problem
from api.store.database.tables import AnsweredRow
from api.store.locks import NamedTurns
from api.store.transaction import Transaction

KEPT = timedelta(hours=24)
WAIT_SECONDS = 10.0


class Answer(NamedTuple):
    """The response to an idempotent request, and the screening it belongs to."""

    status: int
    body: bytes
    location: str | None = None
    screening_id: str | None = None
    replayed: bool = False


class Named(NamedTuple):
    """A request by its idempotency key: keyed hashes of the key and of the whole request."""

    route: str
    key_hash: str
    request_hash: str


@contextmanager
def in_turn(turns: NamedTurns, name: Hashable) -> Iterator[None]:
    """Lock a name within this process.

    Raises Problem `conflict` if the lock is not free after 10 seconds.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(turns.taken(name, WAIT_SECONDS))
        except TimeoutError:
            raise _still_running() from None
        yield


def new_name() -> str:
    """Return a new random idempotency key, for a form that a page will submit."""
    return secrets.token_urlsafe(16)


def named(work: Transaction, route: str, key: str, request: bytes) -> Named:
    """Return the request to this route with this idempotency key, both as keyed hashes."""
    return Named(route, work.fingerprint(key.encode()), work.fingerprint(request))


def once(work: Transaction, request: Named, make: Callable[[], Answer]) -> Answer:
    """Return the stored response to this request, or run it now and store its response.

    Raises Problem `other_request` if the key was used with another body, and `conflict` if another
    process is still running the first request after 10 seconds.
    """
    _drop_expired(work, request)
    if (stored := _load_response(work, request)) is not None:
        return stored
    try:
        with work.session.begin_nested():
            _reserve(work, request)
    except IntegrityError:
        stored = _load_response(work, request)
        if stored is None:
            raise _still_running() from None
        return stored
    except OperationalError as error:
        if type(error.orig).__name__ == "LockNotAvailable":
            raise _still_running() from None
        raise
    answer = make()
    _store_response(work, request, answer)
    return answer


def forget(work: Transaction, route: str, tells: Callable[[bytes], bool]) -> None:
    """Delete the stored responses of a route whose body matches.

    Not needed for screenings: their responses are deleted with the screening's row.
    """
    rows = work.session.execute(
        select(AnsweredRow).where(
            col(AnsweredRow.organisation_id) == work.organisation,
            col(AnsweredRow.route) == route,
            col(AnsweredRow.content).is_not(None),
        )
    ).scalars()
    for row in rows.all():
        if tells(_decrypt_response(work, row)[1].encode()):
            request = Named(row.route, row.key_hash, row.request_hash)
            work.session.execute(
                delete(AnsweredRow).where(*_match_request(work, request, row.actor))
            )


def _load_response(work: Transaction, request: Named) -> Answer | None:
    row = work.session.execute(
        select(AnsweredRow).where(*_match_request(work, request))
    ).scalar_one_or_none()
    if row is None:
        return None
    if row.request_hash != request.request_hash:
        raise Problem("other_request")
    if row.content is None or row.status is None:
        return None
    location, body = _decrypt_response(work, row)
    work.audit("read", "answer", row.screening_id or "", outcome="replayed")
    return Answer(row.status, body.encode(), location, row.screening_id, replayed=True)


def _decrypt_response(work: Transaction, row: Any) -> tuple[str | None, str]:
    """Return the Location header and the body."""
    name = _row_name(row.actor, row)
    content = work.open(row.key_id, "answered", "content", name, row.content)
    location, body = json.loads(zlib.decompress(content))
    return location, body


def _reserve(work: Transaction, request: Named) -> None:
    work.session.execute(
        insert(AnsweredRow).values(
            organisation_id=work.organisation,
            actor=work.actor.id,
            **request._asdict(),
            created_at=work.now,
            screening_id=None,
            status=None,
            key_id=work.key_id,
            content=None,
        )
    )


def _store_response(work: Transaction, request: Named, answer: Answer) -> None:
    content = zlib.compress(json.dumps([answer.location, answer.body.decode()]).encode(), 1)
    work.session.execute(
        update(AnsweredRow)
        .where(*_match_request(work, request))
        .values(
            status=answer.status,
            screening_id=answer.screening_id,
            content=work.seal("answered", "content", _row_name(work.actor.id, request), content),
        )
    )


def _drop_expired(work: Transaction, request: Named) -> None:
    work.session.execute(
        delete(AnsweredRow).where(
            *_match_request(work, request), col(AnsweredRow.created_at) < work.now - KEPT
        )
    )


def _match_request(
    work: Transaction, request: Named, actor: str | None = None
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for the row of a request; the actor defaults to the current one."""
    return (
        col(AnsweredRow.organisation_id) == work.organisation,
        col(AnsweredRow.actor) == (actor or work.actor.id),
        col(AnsweredRow.route) == request.route,
        col(AnsweredRow.key_hash) == request.key_hash,
    )


def _row_name(actor: str, request: Named | AnsweredRow) -> str:
    return f"{actor}|{request.route}|{request.key_hash}"


def _still_running() -> Problem:
    return Problem(
        "conflict", "The first request of this key is still running.", headers={"Retry-After": "2"}
    )
