"""Idempotency: a request that names itself is done once; who asks again gets the same answer.

The answer is kept in the transaction of the effect itself, so it is there exactly if the effect is.
Who asks again while the first is under way waits for it outside of any transaction: where the
database has one writer at a time, a second transaction could not even begin.
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
    """The answer to a request, and the screening that it tells of."""

    status: int
    body: bytes
    location: str | None = None
    screening_id: str | None = None
    replayed: bool = False


class Named(NamedTuple):
    """A request that its client named: the name and the whole request, each by a keyed hash."""

    route: str
    key_hash: str
    request_hash: str


@contextmanager
def in_turn(turns: NamedTurns, name: Hashable) -> Iterator[None]:
    """Be the only one in this process under that name.

    Raises Problem `conflict` where the first is still under way after 10 seconds.
    """
    with ExitStack() as held:
        try:
            held.enter_context(turns.taken(name, WAIT_SECONDS))
        except TimeoutError:
            raise _still_running() from None
        yield


def new_name() -> str:
    """A name for a request that a page will send."""
    return secrets.token_urlsafe(16)


def named(work: Transaction, route: str, key: str, request: bytes) -> Named:
    """The request to this route under this key."""
    return Named(route, work.fingerprint(key.encode()), work.fingerprint(request))


def once(work: Transaction, request: Named, make: Callable[[], Answer]) -> Answer:
    """The answer that was given to this request, or the one that is made now.

    Raises Problem `other_request` where the key was used with another body, `conflict` where the
    first, in another process, is still under way after 10 seconds.
    """
    _drop_expired(work, request)
    if (given := _given(work, request)) is not None:
        return given
    try:
        with work.session.begin_nested():
            _reserve(work, request)
    except IntegrityError:
        given = _given(work, request)
        if given is None:
            raise _still_running() from None
        return given
    except OperationalError as error:
        if type(error.orig).__name__ == "LockNotAvailable":
            raise _still_running() from None
        raise
    answer = make()
    _keep(work, request, answer)
    return answer


def forget(work: Transaction, route: str, tells: Callable[[bytes], bool]) -> None:
    """Drop the answers of a route that tell of what is erased; the others stay.

    For what is no screening: an answer that tells of one goes with its row.
    """
    rows = work.session.execute(
        select(AnsweredRow).where(
            col(AnsweredRow.organisation_id) == work.organisation,
            col(AnsweredRow.route) == route,
            col(AnsweredRow.content).is_not(None),
        )
    ).scalars()
    for row in rows.all():
        if tells(_opened(work, row)[1].encode()):
            named = Named(row.route, row.key_hash, row.request_hash)
            work.session.execute(delete(AnsweredRow).where(*_is(work, named, row.actor)))


def _given(work: Transaction, request: Named) -> Answer | None:
    row = work.session.execute(select(AnsweredRow).where(*_is(work, request))).scalar_one_or_none()
    if row is None:
        return None
    if row.request_hash != request.request_hash:
        raise Problem("other_request")
    if row.content is None or row.status is None:
        return None
    location, body = _opened(work, row)
    work.audit("read", "answer", row.screening_id or "", outcome="replayed")
    return Answer(row.status, body.encode(), location, row.screening_id, replayed=True)


def _opened(work: Transaction, row: Any) -> tuple[str | None, str]:
    """Where an answer said that something is, and its body."""
    name = f"{row.actor}|{row.route}|{row.key_hash}"
    opened = work.open(row.key_id, "answered", "content", name, row.content)
    location, body = json.loads(zlib.decompress(opened))
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


def _keep(work: Transaction, request: Named, answer: Answer) -> None:
    content = zlib.compress(json.dumps([answer.location, answer.body.decode()]).encode(), 1)
    work.session.execute(
        update(AnsweredRow)
        .where(*_is(work, request))
        .values(
            status=answer.status,
            screening_id=answer.screening_id,
            content=work.seal("answered", "content", _row(work, request), content),
        )
    )


def _drop_expired(work: Transaction, request: Named) -> None:
    work.session.execute(
        delete(AnsweredRow).where(
            *_is(work, request), col(AnsweredRow.created_at) < work.now - KEPT
        )
    )


def _is(
    work: Transaction, request: Named, actor: str | None = None
) -> tuple[ColumnElement[bool], ...]:
    """The row of a request of this actor, or of who acts now."""
    return (
        col(AnsweredRow.organisation_id) == work.organisation,
        col(AnsweredRow.actor) == (actor or work.actor.id),
        col(AnsweredRow.route) == request.route,
        col(AnsweredRow.key_hash) == request.key_hash,
    )


def _row(work: Transaction, request: Named) -> str:
    return f"{work.actor.id}|{request.route}|{request.key_hash}"


def _still_running() -> Problem:
    return Problem(
        "conflict", "The first request of this key is still running.", headers={"Retry-After": "2"}
    )
