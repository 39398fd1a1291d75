"""Routes of the web pages that need no login: the root and the static files."""

from api.web.routes import root, static

ROUTERS = (root.router, static.router)
