"""Routes a FHIR search both by GET and by POST to `_search`, with one function for both.

The form of a POST keeps the parameters out of URLs, which are often logged.
"""

from collections.abc import Callable, Collection
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from api.auth.route_guard import GuardedRoute, Handler, check_query, list_query_names
from api.auth.services import find_services
from api.fhir.elements import build_canonical_urls
from api.fhir.http import outcome_responses, resource_response
from api.fhir.search_query import REPEATABLE
from api.http.bodies.request_body import FORM_MEDIA_TYPE, JSON, merge_form_into_query
from api.http.errors.error_responses import GUARDED_ERRORS
from api.http.preferences import prefers_lenient_handling
from api.http.public_route import PublicRoute

_SEARCH_ERRORS = (406, 422)
_FORM_ERRORS = (400, 408, 413, 415)


class _SearchRoute(GuardedRoute):
    """A guarded search, strict unless the client prefers `handling=lenient`."""

    repeatable_names = REPEATABLE

    async def prepare_request(self, request: Request) -> Request:
        """Return the request with the parameters that are used."""
        return _drop_unknown(_resolve_aliases(request), self.query_names)


class _FormSearchRoute(_SearchRoute):
    """A guarded search that takes parameters from a form, the query string, or both."""

    async def prepare_request(self, request: Request) -> Request:
        merged = await merge_form_into_query(request, find_services(request).settings)
        return await super().prepare_request(merged)


class _PublicSearchRoute(PublicRoute):
    """A public search, as strict as one that is guarded."""

    async def prepare_request(self, request: Request) -> Request:
        """Return the request with its parameters in the query string."""
        return _resolve_aliases(request)

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        names = list_query_names(self)

        async def check(request: Request) -> Response:
            request = _drop_unknown(await self.prepare_request(request), names)
            check_query(request, names)
            return await handler(request)

        return check


class _PublicFormSearchRoute(_PublicSearchRoute):
    """A public search that takes parameters from a form, the query string, or both."""

    async def prepare_request(self, request: Request) -> Request:
        merged = await merge_form_into_query(request, find_services(request).settings)
        return await super().prepare_request(merged)


def _resolve_aliases(request: Request) -> Request:
    """Return the request with the canonical URLs of what its parameters name by an alias."""
    services = find_services(request)
    urls = build_canonical_urls(services.settings.public_url, services.store.canonical_bases)
    pairs = request.query_params.multi_items()
    resolved = [
        (name, ",".join(map(urls.resolve_alias, value.split(",")))) for name, value in pairs
    ]
    return request if resolved == pairs else _replace_query(request, resolved)


def _drop_unknown(request: Request, known_names: Collection[str]) -> Request:
    """Drop unknown parameters if the client prefers it; the link `self` shows the rest."""
    if not prefers_lenient_handling(request.headers.get("prefer")):
        return request
    return keep_parameters(request, known_names)


def keep_parameters(request: Request, known_names: Collection[str]) -> Request:
    """Return the request with these query parameters alone."""
    pairs = request.query_params.multi_items()
    return _replace_query(request, [pair for pair in pairs if pair[0] in known_names])


def _replace_query(request: Request, pairs: list[tuple[str, str]]) -> Request:
    scope = dict(request.scope) | {"query_string": urlencode(pairs).encode()}
    return Request(scope, request.receive)


def add_search_routes(
    routes: APIRouter, path: str, word: str, *, scope: str | None, **options: Any
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Return a decorator that routes a search by GET and POST; scope None makes it public."""
    guard_errors = GUARDED_ERRORS if scope else ()

    def add_routes(search: Callable[..., Response]) -> Callable[..., Response]:
        routes.add_api_route(
            path,
            search,
            operation_id=f"search_{word}",
            response_class=Response,
            route_class_override=_guard(_SearchRoute, scope) if scope else _PublicSearchRoute,
            responses=resource_response("Bundle")
            | outcome_responses(*{*guard_errors, *_SEARCH_ERRORS}),
            **options,
        )
        routes.add_api_route(
            f"{path}/_search",
            search,
            methods=["POST"],
            operation_id=f"search_{word}_by_form",
            response_class=Response,
            responses=resource_response("Bundle")
            | outcome_responses(*{*guard_errors, *_SEARCH_ERRORS, *_FORM_ERRORS}),
            route_class_override=_guard(_FormSearchRoute, scope)
            if scope
            else _PublicFormSearchRoute,
            openapi_extra={"requestBody": _describe_form(cast("APIRoute", routes.routes[-1]))},
            **options,
        )
        return search

    return add_routes


def _guard(route_class: type[_SearchRoute], scope: str) -> type[APIRoute]:
    return type("SearchRoute", (route_class,), {"scope": scope, "body_media_type": JSON})


def _describe_form(route: APIRoute) -> dict[str, Any]:
    """Return the OpenAPI request body of a form with the route's query parameters."""
    properties = {
        field.alias: {"type": "string", "description": field.field_info.description or ""}
        for field in get_flat_params(route.dependant)
        if isinstance(field.field_info, params.Query)
    }
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"content": {FORM_MEDIA_TYPE: {"schema": schema}}}
