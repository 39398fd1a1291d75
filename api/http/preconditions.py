"""Entity tags of what is administered, and `If-Match` on its changes (RFC 9110, section 13).

A precondition or idempotency key that an operation does not support is refused: ignoring it would
change what the client means.
"""

from collections.abc import Callable, Container
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from api.problems import Problem
from api.store.database import tenancy
from api.store.transaction import Transaction
from schemas.text import READABLE

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_CONDITIONS = (
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "If-None-Exist",
)
"""Headers that change what a write means."""


class Precondition:
    """The `If-Match` of a request, and the response that gets the new entity tag."""

    def __init__(self, if_match: str | None, response: Response) -> None:
        self._if_match = if_match
        self._response = response

    def check(self, work: Transaction, load: Callable[[], BaseModel]) -> None:
        """Raise Problem `version_mismatch` if the client names another than the stored version.

        Until the transaction ends, no other one can change it.
        """
        if self._if_match is None:
            return
        tenancy.lock_organisation(work.session, work.organisation)
        tags = [tag.strip() for tag in self._if_match.split(",")]
        if compute_etag(load()) not in tags and tags != ["*"]:
            raise Problem("version_mismatch")

    def tag(self, current: BaseModel) -> None:
        """Send the entity tag of this representation."""
        self._response.headers["ETag"] = compute_etag(current)


def compute_etag(representation: BaseModel) -> str:
    """Return the strong entity tag of a representation."""
    return f'"{sha256(representation.model_dump_json().encode()).hexdigest()[:32]}"'


def is_etag_match(tag: str, if_none_match: str | None) -> bool:
    """Return whether `If-None-Match` names this ETag or `*`, compared weakly (RFC 9110, 13.1.2)."""
    tags = [part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")]
    return tag in tags or tags == ["*"]


async def _precondition(
    response: Response,
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            max_length=200,
            pattern=READABLE,
            description="The `ETag` of the version to change. With another one nothing is changed.",
            examples=["*"],
        ),
    ] = None,
) -> Precondition:
    return Precondition(if_match, response)


async def _tag(response: Response) -> Precondition:
    return Precondition(None, response)


PreconditionDep = Annotated[Precondition, Depends(_precondition)]
"""For an operation that changes a resource."""
EntityTagDep = Annotated[Precondition, Depends(_tag)]
"""For an operation that reads a resource."""


def refuse_unsupported_conditions(request: Request, supported: Container[str]) -> None:
    """Raise Problem `unsupported_header` for a condition that the operation would ignore.

    `supported` are the headers of the operation, in lower case.
    """
    if request.method in _SAFE_METHODS:
        return
    for name in _CONDITIONS:
        if name.lower() in request.headers and name.lower() not in supported:
            raise Problem("unsupported_header", f"This operation does not support `{name}`.")
