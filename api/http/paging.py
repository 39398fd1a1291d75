"""Pages of lists: `limit` and `cursor` in the request, the address of the next page in `next`."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Query
from pydantic import Field

from api.problems import FieldError, Problem
from schemas.text import READABLE

T = TypeVar("T")
MAX_WHOLE_LIST = 1000
EXAMPLE_CURSOR = "6f6f6f6f-0000-4000-8000-000000000001"
_LIMIT = "The most of one page."
ListLimit = Annotated[int, Query(ge=1, le=MAX_WHOLE_LIST, description=_LIMIT, examples=[100])]
PageLimit = Annotated[int, Query(ge=1, le=100, description=_LIMIT, examples=[50])]
PageCursor = Annotated[
    str | None,
    Query(
        max_length=300,
        pattern=READABLE,
        description="Where the page begins: take it from `next` of the page before.",
        examples=[EXAMPLE_CURSOR],
    ),
]
NextPage = Annotated[
    str | None, Field(description="The address of the next page; null if this is the last one.")
]


def build_next_page(path: str, cursor: str | None, **parameters: str | int | None) -> str | None:
    """Return the address of the next page, with the parameters of this one; None without cursor."""
    if cursor is None:
        return None
    sent_parameters = {name: value for name, value in parameters.items() if value is not None}
    return f"{path}?{urlencode({**sent_parameters, 'cursor': cursor})}"


def slice_page(
    rows: Sequence[T], get_id: Callable[[T], str], limit: int, cursor: str | None
) -> tuple[tuple[T, ...], str | None]:
    """Return the page after the row with this id, and the cursor of the next. Raises Problem."""
    ids = [get_id(row) for row in rows]
    if cursor is not None and cursor not in ids:
        raise build_cursor_problem()
    first = 0 if cursor is None else ids.index(cursor) + 1
    last = first + limit
    return tuple(rows[first:last]), ids[last - 1] if last < len(rows) else None


def build_cursor_problem() -> Problem:
    """Return the problem of a cursor that no list returned."""
    detail = "must be a cursor returned by a previous page"
    return Problem(
        "invalid_request", errors=[FieldError(pointer="/cursor", code="cursor", detail=detail)]
    )
