"""Finds the busiest routes by their exact path, before the router tries every route in turn."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Router
from starlette.types import Receive, Scope, Send


class ExactPaths:
    """The routes of some methods and paths; every other request is left to the router."""

    def __init__(self, router: Router, operations: Iterable[tuple[str, str]]) -> None:
        self._router = router
        self._search = router.middleware_stack
        self._routes = {
            operation: route
            for operation in operations
            if (route := _find_first_match(router, *operation)) is not None
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the request by its route, as the router would."""
        route = None
        if scope["type"] == "http" and not scope.get("root_path"):
            route = self._routes.get((scope["method"], scope["path"]))
        if route is None:
            await self._search(scope, receive, send)
            return
        scope.setdefault("router", self._router)
        _, child_scope = route.matches(scope)
        scope.update(child_scope)
        await route.handle(scope, receive, send)


def _find_first_match(router: Router, method: str, path: str) -> BaseRoute | None:
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return next((one for one in router.routes if one.matches(scope)[0] is Match.FULL), None)
