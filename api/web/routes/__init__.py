"""Routes of the static files."""

from api.web.routes import static

ROUTERS = (static.router,)
