"""Group commit: small writes of one organisation that wait share one transaction and one COMMIT.

A write is answered after the COMMIT. The groups of one organisation run one after another, those of
several organisations at once. Where one write of a group fails, none of the group is stored, and
all are returned as not grouped: each then runs in a transaction of its own. Where the database
fails at the COMMIT, it is not known what was stored, and no write runs again.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, NamedTuple

from api.store.errors import UnavailableError
from api.store.transaction import Actor, Transaction

MAX_GROUP = 64
MAX_WAITING = 256
"""The most writes of one organisation that wait."""
MAX_WAIT_SECONDS = 10
RETRY_AFTER_SECONDS = 1
_WRITERS = 16

Act = Callable[[Transaction], Any]


class NotGroupedError(Exception):
    """The group of this write failed, and nothing of it was stored."""


class _Write(NamedTuple):
    actor: Actor
    act: Act
    outcome: Future[Any]
    waiting_since: float


class GroupCommit:
    """Collects the writes of each organisation and runs them in groups. Thread-safe."""

    def __init__(self, run: Callable[[str, Sequence[tuple[Actor, Act]]], list[Any]]) -> None:
        """`run` runs the writes of one organisation in one transaction."""
        self._run = run
        self._guard = Lock()
        self._waiting: defaultdict[str, deque[_Write]] = defaultdict(deque)
        self._served: set[str] = set()
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="group-commit")

    def submit(self, actor: Actor, act: Act) -> Future[Any]:
        """Return the future result of a write, which may run twice if its group fails.

        Its errors are NotGroupedError and UnavailableError. Raises UnavailableError if too many
        writes of the organisation wait.
        """
        write = _Write(actor, act, Future(), time.monotonic())
        with self._guard:
            waiting = self._waiting[actor.organisation]
            if len(waiting) >= MAX_WAITING:
                raise _build_overload()
            waiting.append(write)
            if actor.organisation not in self._served:
                self._served.add(actor.organisation)
                self._writers.submit(self._serve, actor.organisation)
        return write.outcome

    def close(self) -> None:
        """Run what waits, and end the threads."""
        self._writers.shutdown()

    def _serve(self, organisation: str) -> None:
        """Run groups of an organisation until none of its writes waits."""
        while group := self._take_group(organisation):
            self._run_group(organisation, group)

    def _take_group(self, organisation: str) -> list[_Write]:
        with self._guard:
            waiting = self._waiting[organisation]
            group = [waiting.popleft() for _ in range(min(MAX_GROUP, len(waiting)))]
            if not group:
                self._served.discard(organisation)
                del self._waiting[organisation]
        return group

    def _run_group(self, organisation: str, group: list[_Write]) -> None:
        oldest = time.monotonic() - MAX_WAIT_SECONDS
        writes = [write for write in group if write.outcome.set_running_or_notify_cancel()]
        for write in writes:
            if write.waiting_since < oldest:
                write.outcome.set_exception(_build_overload())
        writes = [write for write in writes if not write.outcome.done()]
        if not writes:
            return
        try:
            results = self._run(organisation, [(write.actor, write.act) for write in writes])
        except UnavailableError as error:
            for write in writes:
                write.outcome.set_exception(error)
        except Exception:  # noqa: BLE001 - each write runs again alone, where its error is raised
            for write in writes:
                write.outcome.set_exception(NotGroupedError())
        else:
            for write, result in zip(writes, results, strict=True):
                write.outcome.set_result(result)


def _build_overload() -> UnavailableError:
    return UnavailableError(
        "Too many requests of your organisation wait to be stored.",
        retry_after=RETRY_AFTER_SECONDS,
    )
