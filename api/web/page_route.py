"""Routes of HTML pages: read form bodies within limits and answer problems as pages.

A problem page never repeats submitted values.
"""

from collections.abc import Callable, Collection, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api.auth.services import find_services
from api.http.bodies.request_body import read_form_fields
from api.http.errors.error_conversion import CLIENT_ERRORS, convert_error
from api.problems import Problem
from api.web.templating import PageOptions, render_page

MAX_FORM_BYTES = 64 * 1024
MAX_FORM_FIELDS = 500
FormFields = dict[str, list[str]]
PageHandler = Callable[[Request], Coroutine[Any, Any, Response]]
CODES_WITH_TEXT = ("not_found", "csrf_failed", "too_many", "unavailable")


class PageRoute(APIRoute):
    """A route that answers with HTML and is left out of the OpenAPI document."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["include_in_schema"] = False
        kwargs["response_model"] = None
        super().__init__(*args, **kwargs)

    def get_route_handler(self) -> PageHandler:
        """Return the handler, which answers a problem with a page."""
        handle = super().get_route_handler()

        async def handle_with_problem_page(request: Request) -> Response:
            try:
                return await handle(request)
            except CLIENT_ERRORS as error:
                return render_problem(request, convert_error(error))
            except RequestValidationError:
                return render_problem(request, Problem("not_found"))

        return handle_with_problem_page


def render_problem(request: Request, problem: Problem) -> Response:
    """Return the page of a problem."""
    options = PageOptions(status=problem.definition.status, headers=problem.headers)
    return render_page(
        request, "problem.html.j2", options, **choose_problem_phrases(problem, CODES_WITH_TEXT)
    )


def choose_problem_phrases(problem: Problem, codes: Collection[str]) -> dict[str, str]:
    """Return the phrases of a problem page; a code not in `codes` is shown as unexpected."""
    code = problem.code if problem.code in codes else "unexpected"
    return {"heading": f"{code}_heading", "explanation": f"{code}_text"}


async def read_page_form(request: Request) -> FormFields:
    """Read a form body into all values by field name. Raises Problem."""
    fields: FormFields = {}
    for name, value in await read_form_fields(
        request, find_services(request).settings, MAX_FORM_BYTES, MAX_FORM_FIELDS
    ):
        fields.setdefault(name, []).append(value)
    return fields


def read_field(fields: FormFields, name: str) -> str:
    """Return the one value of a field; empty if it is missing or was sent more than once."""
    values = fields.get(name, [])
    return values[0] if len(values) == 1 else ""
