"""Origins: which pages of others may call CDS Hooks from a browser; none but those configured."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

HOOKS = "/cds-services"


class Origins:
    """Wraps the application: hooks answer the origins that were named, all else answers none."""

    def __init__(self, app: ASGIApp, origins: str) -> None:
        named = [each.strip() for each in origins.split(",") if each.strip()]
        self._app = app
        self._hooks = named and CORSMiddleware(
            app,
            allow_origins=named,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        hooks = f"{scope.get('path', '')}/".startswith(f"{HOOKS}/")
        app = self._hooks if self._hooks and hooks else self._app
        await app(scope, receive, send)
