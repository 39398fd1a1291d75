"""Finds routes by the literal beginning of a path, before the router tries every route in turn.

The busiest are found by their whole path.
"""

from collections.abc import Iterable, Sequence

from starlette.routing import BaseRoute, Match, Router
from starlette.types import Receive, Scope, Send

INDEXED_SEGMENTS = 2


class ExactPaths:
    """The routes of some methods and paths; other requests try those that begin as their path."""

    def __init__(self, router: Router, operations: Iterable[tuple[str, str]]) -> None:
        self._router = router
        self._search = router.middleware_stack
        self._routes = {
            operation: route
            for operation in operations
            if (route := find_first_match(router.routes, *operation)) is not None
        }
        beginnings = [read_literal_segments(getattr(route, "path", "")) for route in router.routes]
        self._by_beginning = {
            beginning: Router(
                [
                    route
                    for route, other in zip(router.routes, beginnings, strict=True)
                    if beginning[: len(other)] == other
                ],
                redirect_slashes=False,
            )
            for beginning in {*beginnings} - {()}
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the request by its route, as the router would."""
        if scope["type"] != "http" or scope.get("root_path"):
            await self._search(scope, receive, send)
            return
        scope.setdefault("router", self._router)
        route = self._routes.get((scope["method"], scope["path"]))
        if route is None:
            await self._find_router(scope["path"]).app(scope, receive, send)
            return
        _, child_scope = route.matches(scope)
        scope.update(child_scope)
        await route.handle(scope, receive, send)

    def list_candidates(self, path: str) -> Sequence[BaseRoute]:
        """Return the routes that a request for this path tries, in the order of the router."""
        return self._find_router(path).routes

    def _find_router(self, path: str) -> Router:
        segments = tuple(path.split("/", INDEXED_SEGMENTS + 1)[1 : INDEXED_SEGMENTS + 1])
        routers = self._by_beginning
        return routers.get(segments) or routers.get(segments[:1]) or self._router


def read_literal_segments(path: str) -> tuple[str, ...]:
    """Return the first segments of a route's path, up to one that has a parameter."""
    segments = path.split("/")[1 : INDEXED_SEGMENTS + 1]
    count = next((at for at, segment in enumerate(segments) if "{" in segment), len(segments))
    return tuple(segments[:count])


def find_first_match(routes: Sequence[BaseRoute], method: str, path: str) -> BaseRoute | None:
    """Return the first of these routes that answers this method and path."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return next((one for one in routes if one.matches(scope)[0] is Match.FULL), None)
