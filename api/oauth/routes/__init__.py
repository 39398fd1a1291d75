"""Access tokens, their introspection and revocation, and the SMART configuration."""

from api.oauth.routes import smart_configuration, token, token_status

ROUTERS = (
    token.router,
    token_status.router,
    smart_configuration.router,
    smart_configuration.metadata_router,
)
