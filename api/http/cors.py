"""CORS: lets browsers call CDS Hooks from the configured origins, and nothing else."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

HOOKS_PATH = "/cds-services"


class HooksCorsMiddleware:
    """Middleware that allows cross-origin requests to CDS Hooks from these origins only."""

    def __init__(self, app: ASGIApp, origins: str) -> None:
        allowed_origins = [origin.strip() for origin in origins.split(",") if origin.strip()]
        self._app = app
        self._hooks_app = allowed_origins and CORSMiddleware(
            app,
            allow_origins=allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        is_hook = f"{scope.get('path', '')}/".startswith(f"{HOOKS_PATH}/")
        app = self._hooks_app if self._hooks_app and is_hook else self._app
        await app(scope, receive, send)
