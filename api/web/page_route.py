"""Routes of pages: a form is read with care, and what is refused is told as a page.

Nothing that was sent stands in what is refused.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api.http.request_body import take_form
from api.problems import Problem
from api.web.templating import Look, page

FORM_BYTES = 64 * 1024
FORM_FIELDS = 500
Fields = dict[str, list[str]]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route that answers with pages, and stands in no description of the API."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["include_in_schema"] = False
        kwargs["response_model"] = None
        super().__init__(*args, **kwargs)

    def get_route_handler(self) -> Handler:
        """The handler, with what it refuses told as a page."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as problem:
                return refusal(request, problem)
            except RequestValidationError:
                return refusal(request, Problem("not_found"))

        return answered


def refusal(request: Request, problem: Problem) -> Response:
    """The page of a problem."""
    status = problem.kind.status
    known = problem.code if problem.code in _SAID else "unexpected"
    look = Look(status=status, headers=problem.headers)
    return page(request, "problem.html.j2", look, heading=f"{known}_heading", told=f"{known}_told")


_SAID = ("not_found", "not_from_here", "too_many", "unavailable")


async def fields_of(request: Request) -> Fields:
    """The fields of a form, each with all that was sent under its name. Raises Problem."""
    fields: Fields = {}
    for name, value in await take_form(request, FORM_BYTES, FORM_FIELDS):
        fields.setdefault(name, []).append(value)
    return fields


def only(fields: Fields, name: str) -> str:
    """What was sent under a name, once; empty where it was not, or twice."""
    given = fields.get(name, [])
    return given[0] if len(given) == 1 else ""
