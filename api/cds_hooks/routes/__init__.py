"""CDS Hooks."""

from api.cds_hooks.routes import services

ROUTERS = (services.router,)
