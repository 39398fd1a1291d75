"""How a search is asked: by the address, or by a form at `_search` that no log of addresses tells.

One function answers both.
"""

from collections.abc import Callable
from typing import Any, cast

from fastapi import APIRouter, Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from api.auth.route_guard import GuardedRoute, Handler
from api.fhir.http import outcomes, resources
from api.http.error_responses import GUARDED
from api.http.request_body import FORM, JSON, take_query

_REFUSED = (406, 422)
_OF_A_FORM = (400, 408, 413, 415)


class _AskedByForm(GuardedRoute):
    """A search whose parameters come in a form, in its address, or in both."""

    async def asked(self, request: Request) -> Request:
        return await take_query(request)


class _OpenAskedByForm(APIRoute):
    """The same, open to all."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def by_form(request: Request) -> Response:
            return await handle(await take_query(request))

        return by_form


def search_routes(
    routes: APIRouter, path: str, word: str, *, scope: str | None, **told: Any
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Route a search by GET and by POST; callers need the scope, or none where that is None."""
    refused = GUARDED if scope else ()

    def put(search: Callable[..., Response]) -> Callable[..., Response]:
        routes.add_api_route(
            path,
            search,
            operation_id=f"search_{word}",
            response_class=Response,
            responses=resources("Bundle") | outcomes(*{*refused, *_REFUSED}),
            **told,
        )
        routes.add_api_route(
            f"{path}/_search",
            search,
            methods=["POST"],
            operation_id=f"search_{word}_by_form",
            response_class=Response,
            responses=resources("Bundle") | outcomes(*{*refused, *_REFUSED, *_OF_A_FORM}),
            route_class_override=_by_form(scope) if scope else _OpenAskedByForm,
            openapi_extra={"requestBody": _form_of(cast("APIRoute", routes.routes[-1]))},
            **told,
        )
        return search

    return put


def _by_form(scope: str) -> type[APIRoute]:
    return type("AskedByForm", (_AskedByForm,), {"scope": scope, "takes": JSON})


def _form_of(route: APIRoute) -> dict[str, Any]:
    """The form that holds what the address of this route may hold, for the API's description."""
    asked = [each for each in get_flat_params(route.dependant) if _stands_in_a_query(each)]
    told = {
        each.alias: {"type": "string", "description": each.field_info.description or ""}
        for each in asked
    }
    schema = {"type": "object", "properties": told, "additionalProperties": False}
    return {"content": {FORM: {"schema": schema}}}


def _stands_in_a_query(field: Any) -> bool:
    return isinstance(field.field_info, params.Query)
