"""Access tokens, and the SMART configuration."""

from api.oauth.routes import smart_configuration, token

ROUTERS = (token.router, smart_configuration.router, smart_configuration.metadata_router)
