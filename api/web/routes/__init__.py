"""Static files of the pages."""

from api.web.routes import static

ROUTERS = (static.router,)
