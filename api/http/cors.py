"""CORS: lets pages of other origins read what is public, and call the rest if they are configured.

Public are the definitions of the FHIR API and the metadata of the authorization server. No cookie
is ever accepted from another origin.
"""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

HOOKS_PATH = "/cds-services"
_PUBLIC_PATHS = (
    "/.well-known",
    "/fhir/.well-known",
    "/fhir/CodeSystem",
    "/fhir/Device",
    "/fhir/metadata",
    "/fhir/OperationDefinition",
    "/fhir/Questionnaire",
    "/fhir/ValueSet",
)
_API_PATHS = ("/fhir", "/v1")
_API_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_API_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Exist"),
    *("If-None-Match", "Prefer", "X-API-Key"),
)
_EXPOSED_HEADERS = ("ETag", "Last-Modified", "Location", "Retry-After", "WWW-Authenticate")


class CrossOriginMiddleware:
    """Middleware that allows cross-origin requests by path: public, CDS Hooks, the API."""

    def __init__(self, app: ASGIApp, hooks_origins: str, api_origins: str) -> None:
        self._app = app
        self._public_app = CORSMiddleware(
            app, allow_origins=["*"], allow_methods=["GET", "HEAD"], max_age=600
        )
        self._hooks_app = _allow(app, hooks_origins, ("GET", "POST"), _API_HEADERS[:2])
        self._api_app = _allow(app, api_origins, _API_METHODS, _API_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path = scope.get("path", "")
        app = self._app
        if _is_under(path, (HOOKS_PATH,)):
            app = self._hooks_app
        elif _is_under(path, _PUBLIC_PATHS):
            app = self._public_app
        elif _is_under(path, _API_PATHS):
            app = self._api_app
        await app(scope, receive, send)


def _allow(
    app: ASGIApp, origins: str, methods: tuple[str, ...], headers: tuple[str, ...]
) -> ASGIApp:
    """Return the application behind CORS for these origins; unchanged if there are none."""
    allowed_origins = [origin.strip() for origin in origins.split(",") if origin.strip()]
    if not allowed_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=allowed_origins,
        allow_methods=methods,
        allow_headers=headers,
        expose_headers=_EXPOSED_HEADERS,
        max_age=600,
    )


def _is_under(path: str, folders: tuple[str, ...]) -> bool:
    return any(f"{path}/".startswith(f"{folder}/") for folder in folders)
