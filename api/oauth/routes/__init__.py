"""Access tokens, and where SMART clients find them."""

from api.oauth.routes import smart_configuration, token

ROUTERS = (token.router, smart_configuration.router)
