"""CDS Hooks."""

from api.cds_hooks.routes import services

ROUTERS = (services.discovery_router, services.router)
