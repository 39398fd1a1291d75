"""Deliveries, their destinations, and FHIR Subscriptions."""

from api.deliveries.routes import deliveries, destinations, subscriptions

ROUTERS = (
    deliveries.write_router,
    deliveries.read_router,
    destinations.router,
    subscriptions.router,
)
